"""Tests, intervals and adjustments on counts of units; runs, files, models and settings are not known here.

In order of reading:

- `metric`: additive counts per unit, and the metric of their sums.
- `contrasts`: signed sums of differences between two labels.
- `swaps`, `permuted_statistics`, `permutation`: contrasts under random permutations of their labels.
- `p_values`: paired permutation tests and McNemar's test.
- `multiplicity`: adjustment for the number of tests in a family.
- `intervals`, `medians`: bootstrap confidence intervals.
- `equivalence`, `sample_size`: tests for the absence of a difference, and the units that would decide.
"""
