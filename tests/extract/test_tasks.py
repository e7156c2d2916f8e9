"""Scores of the tasks on examples small enough to work out by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from config.settings import Model, Probe
from extract import outcomes
from extract.datasets.packs import VOID
from extract.matching import match
from extract.outcomes import SCHEMA, Fit, OutcomeCounts, save_outcomes
from extract.records import Planned, Records, Skipped, open_records, tensor_file
from extract.tasks import segmentation
from extract.tasks.classification import classification
from extract.tasks.correspondence import correspondence
from extract.tasks.probes import fit_path
from extract.tasks.recorded import Recorded, RecordError
from extract.tasks.retrieval import BLOCK, retrieval, retrieved
from extract.tasks.segmentation import class_logits, overlaps, patch_classes, pixel_classes

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


def test_retrieval_in_blocks_is_that_of_all_at_once() -> None:
    rng = np.random.default_rng(6)
    sources = rng.normal(size=(BLOCK + 300, 4))
    twins = sources + 0.3 * rng.normal(size=sources.shape)
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (sources, twins)]
    expected = (unit[0] @ unit[1].T).argmax(axis=1) == np.arange(len(sources))
    assert np.array_equal(retrieved(sources, twins), expected) and 0.01 < expected.mean() < 0.9


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


def test_patches_that_pixels_straddle_take_the_class_that_covers_most() -> None:
    mask = np.random.default_rng(4).integers(0, 3, (3, 7, 7), dtype=np.uint8)
    mask[0, :4] = VOID
    found = patch_classes(mask, (2, 2), 3)
    for image in range(3):
        # Patches of 3.5 pixels: the pixel in the middle belongs to both sides.
        for patch, (down, across) in enumerate(((0, 0), (0, 3), (3, 0), (3, 3))):
            inside = mask[image, down : down + 4, across : across + 4]
            shares = [(inside == value).sum() for value in (0, 1, 2, VOID)]
            assert shares[(0, 1, 2, VOID).index(found[image, patch])] == max(shares)


@pytest.mark.parametrize("at_once", [1, 2**24])
def test_pixels_follow_their_patch(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmentation, "PIXELS", at_once)
    logits = torch.tensor([[[0, 0, 1.0]] * 4, [[5.0, 0, 0], [0, 5, 0], [0, 0, 5], [5, 0, 0]]])
    pixels = pixel_classes(logits, (2, 2), (8, 8))
    assert pixels.shape == (2, 8, 8) and (pixels[0] == 2).all()
    assert [pixels[1, y, x].item() for y, x in ((0, 0), (0, 7), (7, 0), (7, 7))] == [0, 1, 2, 0]


def test_void_is_never_trained_on_and_in_no_overlap() -> None:
    mask = np.full((1, 4, 4), VOID, dtype=np.uint8)
    mask[0, :2, :2] = 1
    mask[0, 2, 0] = 1  # a quarter of its patch: the rest is void
    assert patch_classes(mask, (2, 2), 3).tolist() == [[1, VOID, VOID, VOID]]
    predicted = torch.ones((1, 4, 4), dtype=torch.int64)
    intersection, union = overlaps(predicted, torch.from_numpy(mask), 3)
    assert intersection.tolist() == union.tolist() == [[0, 5, 0]]


def test_a_class_that_the_probe_never_saw_never_wins() -> None:
    rng = np.random.default_rng(5)
    labels = np.repeat([0, 3], 40)
    features = (np.eye(2)[labels // 3] * 5 + rng.normal(size=(80, 2))).astype(np.float32)
    (probe,) = fit_path(features, labels, [0.1], 500, "cpu")
    logits = class_logits(probe, torch.from_numpy(features).view(20, 4, 2), 5)
    assert logits.shape == (20, 4, 5) and set(logits.argmax(dim=-1).flatten().tolist()) == {0, 3}


def test_overlaps_by_brute_force() -> None:
    rng = np.random.default_rng(1)
    predicted = rng.integers(0, 4, (5, 6, 7))
    actual = rng.integers(0, 4, (5, 6, 7), dtype=np.uint8)
    intersection, union = overlaps(torch.from_numpy(predicted), torch.from_numpy(actual), 4)
    for image in range(5):
        for k in range(4):
            ours, theirs = predicted[image] == k, actual[image] == k
            assert intersection[image, k] == (ours & theirs).sum()
            assert union[image, k] == (ours | theirs).sum()


def stored(path: Path, features: dict[str, np.ndarray], pairs: dict[str, list[int]] | None = None) -> Records:
    """Write features (by token/layer, images × dimension) to a record file, and open it."""
    n = len(next(iter(features.values())))
    counts = pairs or {"pair_rows": [], "points": []}
    plan = {
        "rows": Planned((n,), np.int64),
        **{name: Planned(values.shape) for name, values in features.items()},
        **{name: Planned((len(values),), np.int64) for name, values in counts.items()},
    }
    with tensor_file(path, plan, {}) as file:
        file.write("rows", np.arange(n))
        for name, values in features.items():
            file.write(name, values)
        for name, numbers in counts.items():
            file.write(name, np.array(numbers, dtype=np.int64))
    records = open_records([path])
    assert isinstance(records, Records)
    return records


FIXED = Probe(strengths=(0.1,), held_out=0.2, tokens=("cls",), refits=0, iterations=500)
LABELS = np.arange(90) % 3
INDEX = pd.DataFrame({"unit": [f"u{k}" for k in range(90)], "split": ["train"] * 60 + ["test"] * 30, "label": LABELS})
TOLD = np.eye(3)[LABELS] * 10
NO_PAIRS = pd.DataFrame({"unit": [], "source": [], "twin": [], "warp": []})


def classified(
    records: dict[str, Records | Skipped], options: Probe = FIXED, index: pd.DataFrame = INDEX
) -> tuple[Sequence[OutcomeCounts], Sequence[Fit]]:
    scores = classification(Recorded("d", index, NO_PAIRS, records, options, seed=0))
    assert set(scores.counts) == {"classification"}
    return scores.counts["classification"], scores.fits


def paired(index: pd.DataFrame, pairs: pd.DataFrame, records: Records) -> Recorded:
    return Recorded("d", index, pairs, {"full": records}, FIXED, seed=0)


def test_matched_probes_are_trained_under_the_condition_and_frozen_ones_on_full(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(90, 3))
    # Under "turned" the classes trade places everywhere: a reader trained on it copes, one trained on full does not.
    records = {
        "turned": stored(tmp_path / "turned", {"cls/5": np.roll(TOLD, 1, axis=1) + noise}),
        "full": stored(tmp_path / "full", {"cls/5": TOLD + noise}),
        "blank": stored(tmp_path / "blank", {"cls/5": np.zeros((90, 3))}),
        "zero_registers": Skipped("no registers"),
    }
    counts, fits = classified(records)
    found = {(each.condition, each.readout): each.numerator.mean() for each in counts}
    assert found == {
        ("full", "matched"): 1.0,
        ("full", "frozen"): 1.0,
        ("turned", "matched"): 1.0,
        ("turned", "frozen"): 0.0,
        ("blank", "matched"): pytest.approx(1 / 3),
        ("blank", "frozen"): pytest.approx(1 / 3),
    }
    assert counts[0].units.tolist() == [f"u{k}" for k in range(60, 90)]
    assert {fit.condition for fit in fits} == {"full", "turned", "blank"} and fits[0].training_rows == 60

    save_outcomes(counts, "classification", Model("m", "known_answer", "open", "S"), tmp_path / "m.parquet")
    written = pd.read_parquet(tmp_path / "m.parquet")
    assert written.columns.tolist() == SCHEMA.names and len(written) == 6 * 30
    assert set(written["category"]) == {""} and set(written["features"]) == {"cls"} and set(written["layer"]) == {5}
    assert (written["cluster"] == written["unit"]).all() and (written["refit"] == 0).all()
    assert written["numerator"].dtype == written["denominator"].dtype == np.float64


def test_every_token_is_probed_along_a_layer_curve(tmp_path: Path) -> None:
    tokens = ("cls", "r1", "r2", "patch_mean")
    wrong = np.random.default_rng(1).normal(size=(90, 3))
    curve = {f"{token}/{layer}": TOLD if (token, layer) == ("r2", 3) else wrong for token in tokens for layer in (3, 5)}
    last = {f"{token}/5": wrong for token in tokens}
    records = {"full": stored(tmp_path / "full", curve), "zero": stored(tmp_path / "zero", last)}
    counts, _ = classified(records)
    matched = [each for each in counts if each.readout == "matched"]
    of_full = {(each.features, each.layer): each.numerator.mean() for each in matched if each.condition == "full"}
    assert set(of_full) == {(token, layer) for token in (*tokens, "register_mean") for layer in (3, 5)}
    assert of_full["r2", 3] == 1.0 and of_full["register_mean", 3] > 0.8 and of_full["r1", 3] < 0.7
    assert {(each.features, each.layer) for each in matched if each.condition == "zero"} == {("cls", 5)}
    every = replace(FIXED, tokens=("registers", "register_mean"))
    counts, _ = classified(records, every)
    of_zero = {(each.features, each.layer, each.readout) for each in counts if each.condition == "zero"}
    assert of_zero == {(token, 5, how) for token in ("r1", "r2", "register_mean") for how in ("matched", "frozen")}


def test_refits_resample_the_training_images_alike_for_every_condition(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    noisy = TOLD / 10 + rng.normal(size=(90, 3))
    records = {name: stored(tmp_path / name, {"cls/5": noisy}) for name in ("full", "same")}
    counts, _ = classified(records, replace(FIXED, refits=3))
    refitted = {name: [each for each in counts if each.condition == name and each.refit] for name in records}
    assert [each.refit for each in refitted["full"]] == [1, 2, 3]
    for one, other in zip(refitted["full"], refitted["same"], strict=True):
        assert np.array_equal(one.numerator, other.numerator)
    assert len({each.numerator.tobytes() for each in refitted["full"]}) > 1


def test_test_images_influence_no_probe(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    options = replace(FIXED, strengths=(0.001, 0.01, 0.1, 1.0))
    features = TOLD / 10 + rng.normal(size=(90, 3))
    other = np.concatenate([features[:60], 100 * rng.permutation(features[60:])])
    index = INDEX.assign(label=np.concatenate([LABELS[:60], rng.permutation(LABELS[60:])]))
    _, fits = classified({"full": stored(tmp_path / "full", {"cls/5": features})}, options)
    _, too = classified({"full": stored(tmp_path / "other", {"cls/5": other})}, options, index)
    assert fits == too and fits[0].strength in options.strengths and np.isfinite(fits[0].held_out_loss)
    # A training image does: the comparison above can fail.
    other = np.concatenate([100 * features[:1], features[1:]])
    _, moved = classified({"full": stored(tmp_path / "moved", {"cls/5": other})}, options)
    assert moved != fits


def test_damaged_records_are_named(tmp_path: Path) -> None:
    damaged = TOLD.copy()
    damaged[7, 1] = np.nan
    records = {"full": stored(tmp_path / "dinov3_s" / "full.safetensors", {"cls/5": damaged})}
    pairs = pd.DataFrame({"unit": ["a"], "source": [0], "twin": [2], "warp": [list(IDENTITY.ravel())]})
    for task in (
        lambda: classified(records),
        lambda: retrieval(paired(INDEX, pairs, records["full"])),
    ):
        with pytest.raises(RecordError, match=r"dinov3_s/full\.safetensors: token cls after layer 5.* u7\. Delete"):
            task()


def test_outcomes_are_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "ROWS", 5)
    units = np.array(list("abc"))
    parts = [OutcomeCounts.of_correct("d", f"c{k}", "direct", "cls", k, units, np.arange(3) == k) for k in range(3)]
    save_outcomes(parts, "retrieval", Model("m", "timm", "f", "S"), tmp_path / "m.parquet")
    written = pd.read_parquet(tmp_path / "m.parquet")
    assert written["condition"].tolist() == ["c0"] * 3 + ["c1"] * 3 + ["c2"] * 3
    assert written["unit"].tolist() == list("abc") * 3
    assert written.loc[written["numerator"] == 1, ["layer", "unit"]].to_numpy().tolist() == [
        [0, "a"],
        [1, "b"],
        [2, "c"],
    ]
    assert pq.ParquetFile(tmp_path / "m.parquet").num_row_groups == 2


def test_a_class_without_training_images_is_never_right_and_never_a_crash(tmp_path: Path) -> None:
    index = INDEX.assign(label=np.where((INDEX.index >= 60) & (LABELS == 2), 7, LABELS))
    records = {"full": stored(tmp_path / "full", {"cls/5": TOLD})}
    counts, _ = classified(records, index=index)
    assert counts[0].numerator.mean() == pytest.approx(2 / 3)


IMAGES = pd.DataFrame({"unit": list("wxyz")})


def test_pairs_are_scored_by_their_unit(tmp_path: Path) -> None:
    pairs = pd.DataFrame({"unit": ["a", "b"], "source": [0, 1], "twin": [2, 3], "warp": [list(IDENTITY.ravel())] * 2})
    cls = np.array([[1.0, 0], [0, 1], [1, 0.1], [1, 0]])
    records = stored(tmp_path / "full", {"cls/2": cls, "cls/5": cls[[0, 1, 0, 1]]})
    before, last = retrieval(paired(IMAGES, pairs, records)).counts["retrieval"]
    assert last.units.tolist() == ["a", "b"] and last.readout == "direct" and (before.layer, last.layer) == (2, 5)
    # The twin of a is not its nearest: that of b is the same vector. After the last layer all are.
    assert before.numerator.tolist() == [0.0, 0.0] and last.numerator.tolist() == [1.0, 1.0]
    counts = {"pair_rows": [1, 0], "points": [9, 8], "hits/5": [5, 3], "cycles/5": [4, 2]}
    found = correspondence(paired(IMAGES, pairs, stored(tmp_path / "pairs", {"cls/5": cls}, counts))).counts
    assert set(found) == {"correspondence", "cycle_consistency"}
    for task, expected in (
        ("correspondence", [("a", 3, 8), ("b", 5, 9)]),
        ("cycle_consistency", [("a", 2, 8), ("b", 4, 9)]),
    ):
        (each,) = found[task]
        assert list(zip(each.units, each.numerator, each.denominator, strict=True)) == expected


def test_key_points_are_scored_per_point_and_per_image(tmp_path: Path) -> None:
    pairs = pd.DataFrame(
        {
            "unit": ["a", "b", "c"],
            "source": [0, 1, 2],
            "twin": [1, 2, 3],
            "warp": [None] * 3,
            "cluster": ["cat", "cat", "dog"],
        }
    )
    counts = {"pair_rows": [0, 1, 2], "points": [4, 10, 0], "hits/5": [1, 10, 0], "cycles/5": [0, 0, 0]}
    recorded = paired(IMAGES, pairs, stored(tmp_path / "x", {"cls/5": np.eye(4)}, counts))
    found = correspondence(recorded).counts
    assert set(found) == {"correspondence", "pck_per_image"}
    (per_point,), (per_image,) = found["correspondence"], found["pck_per_image"]
    assert per_point.numerator.sum() / per_point.denominator.sum() == 11 / 14
    assert per_image.units.tolist() == ["a", "b"]
    assert per_image.numerator.sum() / per_image.denominator.sum() == (0.25 + 1) / 2
    assert per_point.clusters is not None and per_point.clusters.tolist() == ["cat", "cat", "dog"]
    assert not retrieval(recorded).counts["retrieval"][0].units.size
