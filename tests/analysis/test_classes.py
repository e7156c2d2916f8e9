"""Which classes carry a change of mIoU, on data whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.engine.best_interval import best_interval
from analysis.engine.estimates import estimate
from analysis.engine.metric import Counts
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import TaskOutcomes
from analysis.rows.classes import ClassDeltaRow
from analysis.statistics.classes import class_delta_rows
from config.analysis import AnalysisSettings, Margin

IMAGES, CLASSES = 120, 6


def settings() -> AnalysisSettings:
    return AnalysisSettings(
        seed=1,
        datasets=MappingProxyType({"scenes": ("segmentation",)}),
        models=("a_s",),
        conditions=MappingProxyType({}),
        draws=499,
        resamples=100,
        level=0.95,
        families=("dataset", "task", "readout"),
        alpha=0.05,
        margins=MappingProxyType({"default": Margin(0.01, "chosen for this test")}),
        comparisons=(),
        compressions=(),
    )


def measured(full: Counts, zeroed: Counts) -> TaskOutcomes:
    return TaskOutcomes.of(
        [
            Outcomes(
                dataset="scenes",
                task="segmentation",
                model="a_s",
                family="a",
                scale="S",
                readout="matched",
                features="patches",
                layer=5,
                refit=0,
                size=full.units,
                units=tuple(f"{unit:04}" for unit in range(full.units)),
                categories=tuple(f"class_{place}" for place in range(full.categories)),
                conditions=MappingProxyType({"full": full, "zero": zeroed}),
            )
        ]
    )


def rows(full: Counts, zeroed: Counts) -> dict[str, ClassDeltaRow]:
    return {row.category: row for row in class_delta_rows(measured(full, zeroed), settings())}


def areas(generator: np.random.Generator) -> NDArray[np.float64]:
    return np.rint(generator.uniform(50, 150, size=(IMAGES, CLASSES)))


def segmented(loss: NDArray[np.float64], seed: int = 3) -> tuple[Counts, Counts]:
    """Classes at an IoU of about 0.6 that lose the given amounts; both sides vary from image to image."""
    generator = np.random.default_rng(seed)
    union = areas(generator)
    quality = generator.uniform(0.5, 0.7, size=union.shape)
    noise = generator.uniform(-0.03, 0.03, size=union.shape)
    return Counts(union * quality, union), Counts(union * (quality + noise - loss), union)


def test_one_class_loses_and_no_other() -> None:
    found = rows(*segmented(np.where(np.arange(CLASSES) == 2, 0.12, 0.0)))
    shown = {name for name, row in found.items() if row.family_high is not None and row.family_high < 0}
    assert shown == {"class_2"}
    assert found["class_2"].delta == pytest.approx(-0.12, abs=0.01)
    assert found["class_2"].p_holm is not None and found["class_2"].p_holm < 0.001
    assert all(row.p_holm > 0.05 for name, row in found.items() if name != "class_2" and row.p_holm is not None)
    assert all(row.family_low < row.low < row.delta < row.high < row.family_high for row in found.values())


def test_shares_add_up_to_the_change_of_the_metric() -> None:
    full, zeroed = segmented(np.linspace(-0.05, 0.1, CLASSES))
    found = rows(full, zeroed)
    assert sum(row.share for row in found.values()) == pytest.approx(zeroed.value() - full.value(), abs=1e-12)
    for row in found.values():
        assert row.delta is not None
        assert row.share == pytest.approx(row.delta / CLASSES, abs=1e-12)


def test_shares_add_up_where_a_class_is_predicted_under_the_condition_alone() -> None:
    full, zeroed = segmented(np.zeros(CLASSES))
    without = np.arange(CLASSES) == 4
    full = Counts(np.where(without, 0.0, full.numerator), np.where(without, 0.0, full.denominator))
    zeroed = Counts(np.where(without, 0.0, zeroed.numerator), zeroed.denominator)
    found = rows(full, zeroed)
    assert sum(row.share for row in found.values()) == pytest.approx(zeroed.value() - full.value(), abs=1e-12)
    row = found["class_4"]
    assert (row.full_value, row.value, row.delta, row.p, row.p_holm, row.interval) == (
        None,
        0.0,
        None,
        None,
        None,
        "none",
    )
    assert row.warning == "does not occur under full"


def rare(images: int, seed: int = 5) -> tuple[Counts, Counts]:
    """Class 0 is in a few images and loses everything there; the others do not change."""
    full, zeroed = segmented(np.zeros(CLASSES), seed)
    here = (np.arange(IMAGES) < images)[:, None]
    first = np.arange(CLASSES) == 0
    denominator = np.where(first & ~here, 0.0, full.denominator)
    return (
        Counts(np.where(first, 0.5 * denominator, full.numerator), denominator),
        Counts(np.where(first, 0.0, zeroed.numerator), denominator),
    )


def test_two_images_that_lose_alike_are_two_images() -> None:
    row = rows(*rare(2))["class_0"]
    assert (row.present, row.delta, row.interval) == (2, -0.5, "sparse")
    # Two signs alike are drawn in half of all cases.
    assert row.p == 0.5
    assert row.low < -0.5 < 0 < row.high
    many = rows(*rare(60))["class_0"]
    assert many.p is not None and many.p < 1e-9 and many.high < 0


def test_one_image_alone_decides_nothing() -> None:
    found = rows(*rare(1))
    row = found["class_0"]
    assert (row.present, row.interval, row.p, row.p_holm, row.family_low) == (1, "none", None, None, None)
    assert row.warning == "one unit alone decides the class"
    # It is not among the tests that the others are adjusted for.
    assert min(one.p_holm / one.p for one in found.values() if one.p) <= CLASSES - 1


def test_an_image_that_holds_most_of_a_class_is_told_of() -> None:
    full, zeroed = segmented(np.zeros(CLASSES))
    factor = np.ones((IMAGES, CLASSES))
    factor[0, 1] = 1000
    found = rows(*(Counts(one.numerator * factor, one.denominator * factor) for one in (full, zeroed)))
    assert found["class_1"].warning.startswith("one of 120 units holds 86%")
    assert found["class_0"].warning == ""


def test_intervals_hold_for_classes_in_a_few_images() -> None:
    """Counting the images without the class as units that did not change covers 28 % with two of 200, not 95 %."""
    generator = np.random.default_rng(8)
    truth, sets, covered, alone = -0.11, 100, 0, 0
    for _ in range(sets):
        union = np.rint(generator.lognormal(6, 1.2, size=6))
        quality = generator.uniform(0.35, 0.75, size=6)
        lost = generator.random(6) < 0.2
        places = np.zeros((2, 2, 200, 2))
        places[:, 1, :, :] = np.array([0.0, 1.0])
        places[:, 0, :, 1] = 0.5
        for side, iou in enumerate((quality, np.where(lost, 0.0, quality))):
            places[side, 0, :6, 0], places[side, 1, :6, 0] = union * iou, union
        full, zeroed = (Counts(*side) for side in places)
        row = rows(full, zeroed)["class_0"]
        covered += row.low <= truth <= row.high
        everywhere = estimate({0: full.of_category(0), 1: zeroed.of_category(0)}, {1: 1.0, 0: -1.0})
        interval = best_interval(everywhere, 0.95)
        alone += interval.low <= truth <= interval.high
    assert covered / sets >= 0.95
    assert alone / sets < 0.85


def test_a_family_of_intervals_holds_at_once() -> None:
    sets, missed, missed_alone = 100, 0, 0
    for seed in range(sets):
        found = rows(*segmented(np.zeros(CLASSES), seed))
        missed += any(not row.family_low <= 0 <= row.family_high for row in found.values())
        missed_alone += any(not row.low <= 0 <= row.high for row in found.values())
    # Six intervals of 95 % each hold together in 74 %.
    assert missed / sets <= 0.10
    assert missed_alone / sets >= 0.15


def test_clusters_are_what_is_counted() -> None:
    full, zeroed = segmented(np.where(np.arange(CLASSES) == 2, 0.12, 0.0))
    groups = np.arange(IMAGES) // 12
    found = measured(full.summed_over(groups), zeroed.summed_over(groups)).outcomes[0]
    clustered = replace(found, members="digest", sizes=np.full(10, 12.0), size=IMAGES)
    row = {row.category: row for row in class_delta_rows(TaskOutcomes.of([clustered]), settings())}["class_2"]
    assert (row.n, row.present, row.interval) == (IMAGES, 10, "cluster t")
    assert "10 clusters" in row.warning


def test_a_metric_of_one_category_has_no_classes() -> None:
    assert rows(*(Counts(one.numerator[:, :1], one.denominator[:, :1]) for one in segmented(np.zeros(CLASSES)))) == {}
