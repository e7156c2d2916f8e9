"""Against scipy and statsmodels: stored values, made by `reference/make_reference.py` without anything of ours."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.weightstats import ttost_paired

from analysis.engine.contrasts import Contrast
from analysis.engine.equivalence import equivalence_p
from analysis.engine.estimates import Estimate
from analysis.engine.intervals import Resampled, bca_interval, wilson_interval
from analysis.engine.medians import bootstrap_medians, bootstrap_weights, jackknife_medians
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.multiplicity import holm_within_families
from analysis.engine.p_values import exact_mcnemar_p, paired_permutation_tests

FOLDER = Path(__file__).with_name("reference")
DATA = {name: column.to_numpy(dtype=float) for name, column in pd.read_csv(FOLDER / "data.csv").items()}
VALUES = pd.read_csv(FOLDER / "values.csv", index_col="name")["value"]


def scores(values: FloatArray) -> Counts:
    return Counts(values[:, None], np.ones((len(values), 1)))


def test_sampled_p_is_scipys_of_a_million_draws() -> None:
    contrast = Contrast.difference(scores(DATA["base"]), scores(DATA["changed"]))
    (found,) = paired_permutation_tests([contrast], draws=200_000, key=(1, "reference"))
    expected = VALUES["permutation_sampled"]
    # scipy doubles one tail of its million draws.
    error = math.hypot(found.monte_carlo_error, 2 * math.sqrt(expected / 2 / 1e6))
    assert found.p == pytest.approx(expected, abs=4 * error)


def test_exact_p_is_scipys() -> None:
    contrast = Contrast.difference(scores(DATA["base"][:12]), scores(DATA["changed"][:12]))
    (found,) = paired_permutation_tests([contrast], draws=4096, key=(1, "reference"))
    assert found.exact
    assert found.p == pytest.approx(VALUES["permutation_exact"], abs=1e-10)


def test_bca_of_a_mean_is_scipys() -> None:
    resampled = Resampled.of({"x": scores(DATA["skewed"])}, resamples=200_000, key=(1, "reference"))
    found = resampled.plain_interval({"x": 1.0}, 0.95)
    # Both have the error of a quantile of 200,000 replicates: about 0.6 % of the standard error at 2.5 %, more above.
    error = 5 * 0.01 * resampled.standard_error({"x": 1.0})
    assert found.low == pytest.approx(VALUES["bca_mean_low"], abs=error)
    assert found.high == pytest.approx(VALUES["bca_mean_high"], abs=error)


def test_bca_of_a_median_is_scipys() -> None:
    values = DATA["skewed"]
    weights = bootstrap_weights(len(values), resamples=50_000, key=(1, "reference"))
    found = bca_interval(float(np.median(values)), bootstrap_medians(values, weights), jackknife_medians(values), 0.95)
    # Replicates are means of two neighbouring values: ends agree but for a neighbour.
    assert found.low == pytest.approx(VALUES["bca_median_low"], abs=0.03)
    assert found.high == pytest.approx(VALUES["bca_median_high"], abs=0.03)


def test_mcnemar_is_statsmodels() -> None:
    contrast = Contrast.difference(scores(DATA["base_right"]), scores(DATA["changed_right"]))
    assert exact_mcnemar_p(contrast) == pytest.approx(VALUES["mcnemar_exact"], abs=1e-10)


@pytest.mark.parametrize("margin", [0.2, 0.3, 0.5])
def test_equivalence_is_statsmodels_t_tests_for_normal_differences(margin: float) -> None:
    differences = DATA["changed"] - DATA["base"]
    whole = Estimate(float(differences.mean()), differences, units=60, differing=60, categories=2)
    assert equivalence_p(whole, margin) == pytest.approx(VALUES[f"tost_{margin}"], rel=1e-6)


def test_equivalence_of_symmetric_differences_is_statsmodels_t_tests() -> None:
    """Of one ratio skewness is corrected for, and these have none."""
    differences = DATA["changed"] - DATA["base"]
    mirrored = np.concatenate([differences, 2 * differences.mean() - differences])
    whole = Estimate(float(mirrored.mean()), mirrored, units=120, differing=120)
    expected, *_ = ttost_paired(mirrored, np.zeros(120), -0.3, 0.3)
    assert equivalence_p(whole, 0.3) == pytest.approx(expected, rel=1e-6)


def test_wilson_is_statsmodels() -> None:
    found = wilson_interval(int(DATA["base_right"].sum()), len(DATA["base_right"]), 0.95)
    assert found.low == pytest.approx(VALUES["wilson_low"], abs=1e-10)
    assert found.high == pytest.approx(VALUES["wilson_high"], abs=1e-10)


def test_holm_is_statsmodels() -> None:
    found = holm_within_families(np.array([0.04, 0.001, 0.2, 0.013, 0.013]), ["f"] * 5)
    np.testing.assert_allclose(found, [VALUES[f"holm_{place}"] for place in range(5)], atol=1e-10)
