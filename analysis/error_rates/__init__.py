"""How often the statistics are wrong where the truth is known: error rates and coverage, by simulation.

Every data set is drawn from a distribution whose null hypothesis holds, or whose true value is known, by construction
(`simulators`). One or two procedures judge it (`procedures`), a design says which and what rate is expected of them
(`designs`), and the rates over many data sets are measured and written (`rates`). `error_rates.csv` is the committed
result, signed with a digest of the code that it is of.
"""
