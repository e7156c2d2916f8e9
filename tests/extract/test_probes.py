"""Linear probes, held to scikit-learn, and to what may and may not influence them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from config.settings import Probe
from extract.tasks import logistic
from extract.tasks.probes import LinearProbe, ProbeWarning, fit_path, held_out, linear_probe, linear_probes

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")),
]
OPTIONS = Probe(strengths=(0.001, 0.01, 0.1, 1.0), held_out=0.25, tokens=("cls",), refits=0, iterations=2000)


def examples(n: int, dimension: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    mixed = rng.normal(size=(dimension, dimension)) * np.geomspace(1, 0.01, dimension)
    features = (rng.normal(size=(classes, dimension))[labels] + 2 * rng.normal(size=(n, dimension))) @ mixed
    return features.astype(np.float32), labels.astype(np.int64)


def units(n: int) -> list[str]:
    return [f"u{k}" for k in range(n)]


def standardised(features: np.ndarray) -> np.ndarray:
    wide = features.astype(np.float64)
    return (wide - wide.mean(axis=0)) / wide.std(axis=0)


def probabilities(probe: LinearProbe, features: np.ndarray) -> np.ndarray:
    logits = probe.decision(features)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("n", "dimension", "classes"), [(200, 12, 2), (300, 20, 5), (60, 40, 3)])
@pytest.mark.parametrize("strength", [0.01, 1.0])
@pytest.mark.parametrize("device", DEVICES)
def test_the_optimum_is_that_of_scikit_learn(
    n: int, dimension: int, classes: int, strength: float, device: str
) -> None:
    features, labels = examples(n, dimension, classes)
    (probe,) = fit_path(features, labels, [strength], 2000, device)
    # scikit-learn fits two classes with one vector of weights; two opposite ones of half its length cost half as much.
    reference = LogisticRegression(C=2 * strength if classes == 2 else strength, max_iter=20_000, tol=1e-12)
    reference.fit(standardised(features), labels)
    expected = reference.predict_proba(standardised(features))
    np.testing.assert_allclose(probabilities(probe, features), expected, atol=1e-6)


def test_the_optimum_is_that_of_scikit_learn_where_a_class_is_rare_and_one_is_missing() -> None:
    features, labels = examples(300, 10, 3)
    labels = np.where(labels == 1, 4, labels)  # there is no class 1, and no class 3
    labels[:1] = 7  # the only one of its class
    (probe,) = fit_path(features, labels, [0.1], 2000, "cpu")
    assert probe.classes.tolist() == [0, 2, 4, 7]
    reference = LogisticRegression(C=0.1, max_iter=20_000, tol=1e-12).fit(standardised(features), labels)
    expected = reference.predict_proba(standardised(features))
    np.testing.assert_allclose(probabilities(probe, features), expected, atol=1e-6)


def test_where_the_solver_starts_does_not_matter() -> None:
    features, labels = examples(400, 20, 4)
    (cold,) = fit_path(features, labels, [0.1], 2000, "cpu")
    (elsewhere,) = fit_path(features[::-1] + 3, labels, [10.0], 2000, "cpu")
    (warm,) = fit_path(features, labels, [0.1], 2000, "cpu", start=elsewhere)
    np.testing.assert_allclose(probabilities(warm, features), probabilities(cold, features), atol=1e-6)


def test_a_path_ends_where_each_strength_alone_does() -> None:
    features, labels = examples(400, 20, 4)
    for together in fit_path(features, labels, OPTIONS.strengths, 20_000, "cpu", 1e-9):
        (alone,) = fit_path(features, labels, [together.strength], 20_000, "cpu", 1e-9)
        np.testing.assert_allclose(together.weights, alone.weights, atol=1e-6)


def test_the_penalty_is_the_one_of_least_held_out_loss() -> None:
    features, labels = examples(160, 30, 4)
    names = units(160)
    probe = linear_probe(features, labels, names, OPTIONS)
    held = held_out(names, OPTIONS.held_out, 0)
    assert held.sum() == 40
    losses = {}
    for strength in OPTIONS.strengths:
        single = linear_probe(features[~held], labels[~held], units(120), replace(OPTIONS, strengths=(strength,)))
        # Independently of the probe's own arithmetic: minus the mean log-probability of the right class.
        chosen = probabilities(single, features[held])[np.arange(40), labels[held]]
        losses[strength] = -np.log(chosen).mean()
    assert probe.strength == min(losses, key=lambda strength: losses[strength])
    assert probe.held_out_loss == pytest.approx(min(losses.values()), rel=1e-3) and probe.rows == 160


def test_noise_takes_the_strongest_penalty_and_signal_a_weaker_one() -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(200) % 2
    nothing = rng.normal(size=(200, 50)).astype(np.float32)
    assert linear_probe(nothing, labels, units(200), OPTIONS).strength == 0.001
    something = nothing + 4 * labels[:, None].astype(np.float32)
    assert linear_probe(something, labels, units(200), OPTIONS).strength > 0.001


@pytest.mark.parametrize("names", [["a"] * 6, ["a", "b"], ["a", "b", "c", "d"]])
def test_where_nothing_can_be_compared_the_strongest_penalty_is_taken(names: list[str]) -> None:
    # One image, or every image of a class of its own: whatever is held out, no probe has seen its class.
    labels = np.array([sorted(set(names)).index(name) for name in names])
    features = np.random.default_rng(6).normal(size=(len(names), 5)).astype(np.float32)
    probe = linear_probe(features, labels, names, OPTIONS)
    assert probe.strength == 0.001 and np.isnan(probe.held_out_loss)
    assert set(probe.predict(features)) <= set(labels)


def test_rows_of_an_image_are_held_out_together_by_its_identity() -> None:
    names = np.repeat(units(20), 7)
    held = held_out(names.tolist(), 0.25, 3)
    assert {len(set(held[names == unit])) for unit in set(names)} == {1}
    assert len(set(names[held])) == 5
    order = np.random.default_rng(0).permutation(len(names))
    assert np.array_equal(held_out(names[order].tolist(), 0.25, 3), held[order])
    assert not np.array_equal(held_out(names.tolist(), 0.25, 4), held)
    for share in (0.001, 0.999):
        assert 1 <= held_out(units(5), share, 0).sum() <= 4


def test_the_same_data_give_the_same_probe_bit_for_bit() -> None:
    features, labels = examples(300, 16, 3)
    one, other = (linear_probe(features, labels, units(300), OPTIONS) for _ in range(2))
    assert np.array_equal(one.weights, other.weights) and one.strength == other.strength


def test_a_probe_does_not_read_rounding() -> None:
    rng = np.random.default_rng(3)
    labels = np.arange(400) % 2
    # A constant, up to float32 rounding that happens to give the class away.
    features = (5 + 2e-6 * labels[:, None] + 1e-7 * rng.normal(size=(400, 6))).astype(np.float32)
    predicted = linear_probe(features[:200], labels[:200], units(200), OPTIONS).predict(features[200:])
    assert len(np.unique(predicted)) == 1


def test_a_probe_that_does_not_converge_names_the_key() -> None:
    rng = np.random.default_rng(4)
    features, labels = rng.normal(size=(50, 20)).astype(np.float32), rng.integers(0, 5, 50)
    with pytest.warns(ProbeWarning, match=r"probe\.iterations: 1 of 1 linear probes on 50 rows"):
        probe = linear_probe(features, labels, units(50), replace(OPTIONS, strengths=(100.0,), iterations=3))
    assert not probe.converged and probe.iterations == 3 and np.isfinite(probe.weights).all()
    assert not probe.summary("d", "full", "cls", 5).converged


def test_problems_that_end_early_leave_the_blocks_of_the_others_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    # Blocks of rows are as long as the problems of a stack are few. While some problems end, the others must keep
    # theirs, to which their logits belong.
    monkeypatch.setitem(logistic.BLOCK, "cpu", 300)
    hard, labels = examples(130, 12, 3)
    sets = [np.ones_like(hard), hard, hard**3]
    options = replace(OPTIONS, strengths=(100.0,), iterations=20_000)
    together = linear_probes(sets, labels, units(130), options)
    assert len({probe.iterations for probe in together}) > 1
    for features, probe in zip(sets, together, strict=True):
        alone = linear_probe(features, labels, units(130), options)
        np.testing.assert_allclose(probabilities(probe, features), probabilities(alone, features), atol=2e-6)
