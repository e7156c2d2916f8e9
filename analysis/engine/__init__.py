"""Tests, intervals and adjustments on counts of units; runs, files, models and settings are not known here.

In order of reading:

- `metric`: additive counts per unit, and the metric of their sums.
- `contrasts`: signed sums of differences between two labels.
- `swaps`, `permuted_statistics`, `permutation`: contrasts under random permutations of their labels.
- `p_values`: paired permutation tests and McNemar's test.
- `multiplicity`: adjustment for the number of tests in a family.
- `estimates`: signed sums of metrics with their jackknife pseudo-values, the input of what follows.
- `metric_tests`: tests of the metric itself, where permuting labels tests more than it.
- `paired_proportions`, `studentised`, `unseen`: score, t and worst-case procedures; `best_interval` chooses by data,
  `simultaneous` for a family.
- `intervals`, `medians`: bootstrap confidence intervals, and ratios of medians.
- `equivalence`, `sample_size`: tests for the absence of a difference, and the units that would decide.
- `paired_power`, `planning`: exact power for paired 0/1 outcomes, and plans of studies to come.
"""
