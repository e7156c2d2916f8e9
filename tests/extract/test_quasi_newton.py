"""The solver of the probes: its gradients, held to automatic differentiation, and the steps that it takes."""

import numpy as np
import pytest
import torch
from torch import Tensor

from extract.tasks.curvature import Moments
from extract.tasks.gradients import Rows
from extract.tasks.logistic import Problems
from extract.tasks.probes import fit_path


def problems(n: int, dimension: int, classes: int, stacked: int = 1) -> Problems:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % classes
    features = rng.normal(size=(classes, dimension))[labels] + rng.normal(size=(stacked, n, dimension))
    return Problems.of(torch.from_numpy(features.astype(np.float32)), torch.from_numpy(labels), classes)


def exact_slope(of: Problems, weights: Tensor) -> Tensor:
    """Gradient of the mean log-loss of features as they were given, by automatic differentiation in float64."""
    at = weights.clone().requires_grad_()
    x = (of.raw.double() - of.centre[:, None]) / of.scale[:, None] @ of.axes
    logits = x @ at[..., :-1].mT + at[..., None, :, -1]
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), of.labels.repeat(len(of.raw)))
    (slope,) = torch.autograd.grad(loss * len(of.raw), at)
    return slope


def test_a_gradient_with_an_anchor_is_exact_to_what_has_changed_since() -> None:
    of = problems(300, 8, 5, stacked=2)
    generator = torch.Generator().manual_seed(0)
    at, step = (torch.randn(2, 5, 9, generator=generator, dtype=torch.float64) for _ in range(2))
    anchored, slope = Rows.exact(of, at, torch.ones(2, dtype=torch.float64))
    np.testing.assert_allclose(slope, exact_slope(of, at), atol=1e-14)
    single, _ = Rows.single(of, at)
    for size in (1e-1, 1e-4, 1e-7):
        now = at + size * step
        for rows, error in ((anchored, 1e-6 * size), (single, 1e-6)):
            rows.turn(step)
            _, slope = rows.move(torch.full((2,), size, dtype=torch.float64))
            np.testing.assert_allclose(slope, exact_slope(of, now), atol=error)
            rows.move(torch.full((2,), -size, dtype=torch.float64))


def test_a_step_changes_probabilities_by_as_much_as_it_says() -> None:
    of = problems(60, 4, 3)
    rows, _ = Rows.single(of, torch.zeros(1, 3, 5, dtype=torch.float64))
    before = rows.probabilities()
    step = torch.randn(1, 3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert rows.turn(step) == pytest.approx((step.float() @ of.turned.mT).abs().max().item())
    moved, _ = rows.move(torch.ones(1, dtype=torch.float64))
    changes = [(after - each).abs().max() for after, each in zip(rows.probabilities(), before, strict=True)]
    assert moved.item() == pytest.approx(torch.stack(changes).max().item(), abs=1e-6)


@pytest.mark.parametrize("classes", [2, 7])
def test_the_curvature_is_the_hessian_where_all_classes_are_as_likely(classes: int) -> None:
    of = problems(40 * classes, 6, classes)
    at, penalty = torch.zeros(1, classes, 7, dtype=torch.float64), torch.tensor([0.01], dtype=torch.float64)
    rows, _ = Rows.single(of, at)
    curvature = Moments.of(rows, ahead=False).penalised(penalty)
    step = torch.randn(1, classes, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    step -= step.mean(dim=1, keepdim=True)
    bent = (exact_slope(of, at + 1e-5 * step) - exact_slope(of, at - 1e-5 * step)) / 2e-5
    bent[..., :-1] += penalty * step[..., :-1]
    # All but the covariance between principal axes, which the heavy rows leave.
    assert (curvature.divide(bent.float()) - step).norm() < 0.05 * step.norm()


def test_many_classes_take_few_gradients() -> None:
    # Nine; with a penalty on intercepts in the curvature, which the problem does not have, seventeen.
    rng = np.random.default_rng(0)
    labels = np.arange(1000) % 200
    features = (rng.normal(size=(200, 64)) * np.geomspace(1, 0.03, 64))[labels] + rng.normal(size=(1000, 64))
    (probe,) = fit_path(features.astype(np.float32), labels, [0.1], 1000, "cpu")
    assert probe.converged and probe.iterations < 13
