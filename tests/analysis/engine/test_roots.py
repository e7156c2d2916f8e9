"""Roots of functions whose roots are known, and of what scipy solves."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from analysis.engine.roots import root_between


@given(root=st.floats(0, 1), steep=st.floats(0.1, 1_000))
def test_smooth_flat_and_steep_functions(root: float, steep: float) -> None:
    def rising(x: float) -> float:
        return math.tanh(steep * (x - root)) + 1e-3 * (x - root)

    assert root_between(rising, 0, 1, tolerance=1e-12) == pytest.approx(root, abs=2e-12)
    assert root_between(lambda x: -rising(x), 0, 1, tolerance=1e-12) == pytest.approx(root, abs=2e-12)
    expected = brentq(lambda x: math.exp(x) - math.exp(root), -3, 2, xtol=1e-12)
    assert root_between(lambda x: math.exp(x) - math.exp(root), -3, 2, tolerance=1e-12) == pytest.approx(
        expected, abs=3e-12
    )


def test_a_step_and_a_vertical_tangent() -> None:
    assert root_between(lambda x: 1.0 if x > 0.3 else -1.0, 0, 1, tolerance=1e-9) == pytest.approx(0.3, abs=2e-9)
    assert root_between(lambda x: math.copysign(abs(x - 0.7) ** 0.2, x - 0.7), 0, 1, tolerance=1e-12) == pytest.approx(
        0.7, abs=2e-12
    )


@pytest.mark.parametrize("root", [0.0, 1.0])
def test_a_bound_may_be_the_root(root: float) -> None:
    assert root_between(lambda x: x - root, 0, 1, tolerance=1e-9) == root


def test_same_signs_are_refused() -> None:
    with pytest.raises(ValueError, match="same sign"):
        root_between(lambda x: x + 1, 0, 1, tolerance=1e-9)
