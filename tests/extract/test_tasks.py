"""Scores of the tasks on examples small enough to work out by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from config.settings import Model, Probe
from extract.matching import match
from extract.outcomes import COLUMNS, Counts, save_outcomes
from extract.records import Records, Skipped
from extract.tasks.classification import classification
from extract.tasks.correspondence import correspondence
from extract.tasks.probes import ProbeError, linear_probe
from extract.tasks.retrieval import retrieval, retrieved
from extract.tasks.segmentation import overlaps, patch_classes, pixel_classes

IDENTITY = np.array([[1, 0, 0], [0, 1, 0]], dtype=np.float32)
RIGHT = np.array([[1, 0, 0.5], [0, 1, 0]], dtype=np.float32)  # everything moves half the width to the right


def test_matching_by_hand() -> None:
    # Patches of a 2 by 2 grid, each a direction of its own.
    patches = torch.eye(4)
    counts = match(
        torch.stack([patches] * 3),
        torch.stack([patches, patches[[1, 0, 2, 3]], patches]),
        np.stack([IDENTITY, IDENTITY, RIGHT]),
        (2, 2),
    )
    assert counts.points.tolist() == [4, 4, 2]
    # Identity; two patches swapped; moved right, where the left patches should be found on the right but are not.
    assert counts.hits.tolist() == [4, 2, 0]
    assert counts.cycles.tolist() == [4, 4, 2]
    moved = patches[[1, 0, 3, 2]]
    assert match(patches[None], moved[None], RIGHT[None], (2, 2)).hits.tolist() == [2]


def test_matching_is_by_direction_and_not_length() -> None:
    source = torch.tensor([[[1.0, 0.1], [0.1, 1.0]]])
    twin = torch.tensor([[[1.0, 0.0], [0.0, 100.0]]])
    assert match(source, twin, IDENTITY[None], (1, 2)).hits.tolist() == [2]


def test_cycles_need_both_ways() -> None:
    source = torch.tensor([[[1.0, 0.0], [1.0, 0.2]]])
    twin = torch.tensor([[[1.0, 0.3], [-1.0, 0.0]]])
    # Both sources find the first twin; it finds the second source.
    assert match(source, twin, IDENTITY[None], (1, 2)).cycles.tolist() == [1]


def test_retrieval_by_hand() -> None:
    sources = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    twins = np.array([[2.0, 0.1], [0.1, 0.9], [0.0, 5.0]])
    assert retrieved(sources, twins).tolist() == [True, False, False]


def test_retrieval_ties_are_misses() -> None:
    alike = np.ones((5, 3)) + 1e-9 * np.random.default_rng(0).normal(size=(5, 3))
    assert not retrieved(alike, alike[::-1].copy()).any()
    assert not retrieved(np.zeros((4, 3)), np.zeros((4, 3))).any()


def test_patches_take_the_class_that_covers_most() -> None:
    mask = np.zeros((1, 4, 6), dtype=np.uint8)
    mask[0, :2, :2] = 3
    mask[0, 1, 1] = 0
    mask[0, 2:, 3] = 1
    assert patch_classes(mask, (2, 3), 4).tolist() == [[3, 0, 0, 0, 0, 0]]


def test_pixels_follow_their_patch() -> None:
    logits = torch.tensor([[[5.0, 0, 0], [0, 5, 0], [0, 0, 5], [5, 0, 0]]])
    pixels = pixel_classes(logits, (2, 2), (8, 8))
    assert pixels.shape == (1, 8, 8)
    assert [pixels[0, y, x].item() for y, x in ((0, 0), (0, 7), (7, 0), (7, 7))] == [0, 1, 2, 0]


def test_overlaps_by_brute_force() -> None:
    rng = np.random.default_rng(1)
    predicted = rng.integers(0, 4, (5, 6, 7))
    actual = rng.integers(0, 4, (5, 6, 7), dtype=np.uint8)
    intersection, union = overlaps(predicted, actual, 4)
    for image in range(5):
        for k in range(4):
            ours, theirs = predicted[image] == k, actual[image] == k
            assert intersection[image, k] == (ours & theirs).sum()
            assert union[image, k] == (ours | theirs).sum()


def test_probe_separates_what_a_line_separates() -> None:
    rng = np.random.default_rng(2)
    labels = np.arange(300) % 3
    features = (np.eye(3)[labels] * 8 + rng.normal(size=(300, 3))).astype(np.float32)
    probe = linear_probe(features[:200], labels[:200], 0.1, 1000)
    assert (probe.predict(features[200:]) == labels[200:]).mean() > 0.95
    again = linear_probe(features[:200], labels[:200], 0.1, 1000)
    assert np.array_equal(probe.decision_function(features), again.decision_function(features))


def test_probe_does_not_read_rounding() -> None:
    rng = np.random.default_rng(3)
    labels = np.arange(400) % 2
    # A constant, up to float32 rounding that happens to give the class away.
    features = (5 + 2e-6 * labels[:, None] + 1e-7 * rng.normal(size=(400, 6))).astype(np.float32)
    predicted = linear_probe(features[:200], labels[:200], 0.1, 1000).predict(features[200:])
    assert len(np.unique(predicted)) == 1


def test_probe_that_does_not_converge_names_the_key() -> None:
    rng = np.random.default_rng(4)
    with pytest.raises(ProbeError, match=r"probe\.iterations"):
        linear_probe(rng.normal(size=(50, 20)), rng.integers(0, 5, 50), 100.0, 3)


def records(cls: np.ndarray) -> Records:
    n = len(cls)
    none = np.zeros(0, np.int64)
    blank = np.zeros((n, 1, 0), np.float32)
    return Records(np.arange(n), cls[:, None].astype(np.float32), blank, blank, none, none, none, none)


def test_classification_trains_on_training_and_scores_test(tmp_path: Path) -> None:
    labels = np.arange(90) % 3
    index = pd.DataFrame(
        {"unit": [f"u{k}" for k in range(90)], "split": ["train"] * 60 + ["test"] * 30, "label": labels}
    )
    told = np.eye(3)[labels] * 10
    wrong = np.where(np.arange(90)[:, None] < 60, told, np.roll(told, 1, axis=1))
    found = classification(
        "d",
        index,
        {"full": records(told), "shifted": records(wrong), "zero_registers": Skipped("no registers")},
        Probe(c=0.1, iterations=500),
    )
    assert [(each.condition, each.numerator.mean()) for each in found] == [("full", 1.0), ("shifted", 0.0)]
    assert found[0].units.tolist() == [f"u{k}" for k in range(60, 90)]

    save_outcomes(found, "classification", Model("m", "known_answer", "open", "S"), tmp_path / "m.parquet")
    stored = pd.read_parquet(tmp_path / "m.parquet")
    assert tuple(stored.columns) == COLUMNS and len(stored) == 60
    assert set(stored["readout"]) == {"matched"} and set(stored["category"]) == {""}
    assert stored["numerator"].dtype == stored["denominator"].dtype == np.float64


def test_pairs_are_scored_by_their_unit() -> None:
    pairs = pd.DataFrame({"unit": ["a", "b"], "source": [0, 1], "twin": [2, 3]})
    cls = np.array([[1.0, 0], [0, 1], [1, 0.1], [1, 0]])
    (found,) = retrieval("d", pairs, {"full": records(cls)})
    assert found.units.tolist() == ["a", "b"] and found.readout == "direct"
    # The twin of a is not its nearest: that of b is the same vector.
    assert found.numerator.tolist() == [0.0, 0.0]
    whole = records(cls)
    counted = Records(
        whole.rows, whole.cls, whole.registers, whole.patch_mean,
        pair_rows=np.array([1, 0]), hits=np.array([5, 3]), points=np.array([9, 8]), cycles=np.array([4, 2]),
    )  # fmt: skip
    (counts,) = correspondence("d", pairs, {"full": counted})
    assert isinstance(counts, Counts)
    assert list(zip(counts.units, counts.numerator, counts.denominator, strict=True)) == [("b", 5, 9), ("a", 3, 8)]
