"""Holm's procedure against a table worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from analysis.engine.contrasts import Contrast
from analysis.engine.metric import Counts
from analysis.engine.multiplicity import holm_within_families, max_t_within_families
from analysis.engine.p_values import permutation_results
from analysis.engine.permutation import permute


def test_holm_by_hand() -> None:
    # Sorted: 0.01 × 4, 0.02 × 3, 0.03 × 2, 0.5 × 1, then the running maximum.
    found = holm_within_families(np.array([0.03, 0.01, 0.5, 0.02]), ["f"] * 4)
    np.testing.assert_allclose(found, [0.06, 0.04, 0.5, 0.06], atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_that_of_statsmodels(seed: int) -> None:
    # Rounded, so that p-values tie.
    p = np.round(np.random.default_rng(seed).random(40) ** 3, 2)
    expected = multipletests(p, method="holm")[1]
    np.testing.assert_array_equal(holm_within_families(p, ["f"] * 40), expected)


def test_adjusted_p_stops_at_one() -> None:
    np.testing.assert_allclose(holm_within_families(np.array([0.7, 0.8]), ["f", "f"]), [1, 1])


def test_families_do_not_pay_for_each_other() -> None:
    found = holm_within_families(np.array([0.01, 0.01, 0.04]), [("a", 1), ("b", 1), ("b", 1)])
    np.testing.assert_allclose(found, [0.01, 0.02, 0.04], atol=1e-12)


def test_rows_without_a_test_count_nowhere() -> None:
    found = holm_within_families(np.array([np.nan, 0.01, 0.02]), ["f"] * 3)
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], [0.02, 0.02], atol=1e-12)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="outside"):
        holm_within_families(np.array([1.2]), ["f"])
    with pytest.raises(ValueError, match="families"):
        holm_within_families(np.array([0.2]), ["f", "g"])


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.integers(4, 14), st.integers(0, 10_000))
def test_max_t_of_small_families_is_never_below_p(members: int, units: int, seed: int) -> None:
    # A contrast that few units tell apart is enumerated, while the draws that the family shares are a sample: in half
    # of such families the joint p of 199 draws would lie below the exact one.
    generator = np.random.default_rng(seed)
    ones = np.ones((units, 1))
    values = generator.normal(size=(members, units)) * (generator.random((members, units)) < generator.random())
    contrasts = [Contrast.difference(Counts(0 * ones, ones), Counts(one[:, None], ones)) for one in values]
    drawn = permute(contrasts, draws=199, key=(seed, "small families"))
    p = np.array([one.p for one in permutation_results(contrasts, drawn)])
    assert (max_t_within_families([drawn], ["family"] * members, p) >= p).all()
