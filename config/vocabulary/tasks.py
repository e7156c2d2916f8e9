"""What is measured on images: one record per task that outcomes are reported for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

MATCHED, FROZEN, DIRECT = "matched", "frozen", "direct"
READOUTS: Mapping[str, str] = MappingProxyType(
    {
        MATCHED: "the probe is trained under the same condition",
        FROZEN: "the probe is trained under full and applied to the ablated features",
        DIRECT: "no probe is trained",
    }
)
REFUSED = "refused"  # metadata of an outcome file: why a model has no outcomes of a task
RATIO = "ratio of counts"  # metric of a task that is not ours


@dataclass(frozen=True)
class Task:
    """A task whose outcomes are additive counts: numerator and denominator per unit and category.

    Attributes:
        name: as in the config and in outcomes.
        metric: name of Σ numerator / Σ denominator, averaged over categories.
        definition: of the metric, as printed under a table.
        unit: what is counted by n, plural.
        features: the features that it is reported from.
        readouts: of its outcomes.
        needs: what a data set must have, one of `NEEDS`.
        on_records: whether recorded features suffice; otherwise the task runs the network itself.
        probed: whether it trains probes, and so writes how they were fitted.
        part_of: the task that brings it along; empty where a config asks for it by itself.
        pairs: kind of image pairs that it is defined on, where that is one kind only.
        higher_is_better: whether a greater value is a better one.
        bounded: whether a numerator is a part of its denominator, so that values are fractions.
        percent: whether values are printed in percent, and differences in percentage points.
        value_unit: of values that are printed as they are, such as grey levels; empty where they have none.
        of_article: whether the article's table of replacements has it.
    """

    name: str
    metric: str
    definition: str
    unit: str
    features: str
    readouts: tuple[str, ...]
    needs: str
    on_records: bool = True
    probed: bool = False
    part_of: str = ""
    pairs: str = ""
    higher_is_better: bool = True
    bounded: bool = True
    percent: bool = True
    value_unit: str = ""
    of_article: bool = False

    @property
    def label(self) -> str:
        """Its name in headings and figures."""
        return label_of(self.name)

    @property
    def factor(self) -> int:
        """What values are multiplied by where a page or a figure shows them."""
        return 100 if self.percent else 1

    @property
    def gain(self) -> int:
        """Sign of a change for the better: 1 where a greater value is better, −1 where a smaller one is."""
        return 1 if self.higher_is_better else -1

    @property
    def unit_of_changes(self) -> str:
        """What differences of its values are printed in."""
        return "percentage points" if self.percent else self.value_unit or "units of the metric"

    def least_costly(self, changes: Iterable[float]) -> float:
        """Return the change that costs least, or gains most.

        Examples:
            >>> TASKS["classification"].least_costly([-0.2, -0.1])
            -0.1
        """
        return max(changes) if self.higher_is_better else min(changes)

    def most_costly(self, changes: Iterable[float]) -> float:
        """Return the change that costs most.

        Examples:
            >>> TASKS["classification"].most_costly([-0.2, -0.1])
            -0.2
        """
        return min(changes) if self.higher_is_better else max(changes)


# What a data set must have for a task, as a config's error names it.
NEEDS: Mapping[str, str] = MappingProxyType(
    {
        "labels": "one class per image",
        "twins": "image pairs",
        "pairs": "image pairs",
        "masks": "masks",
        "depths": "depth maps",
        "training": "training images",
    }
)
_ALL = (
    Task(
        name="classification",
        metric="accuracy",
        definition="proportion of images that a linear probe on CLS classifies correctly",
        unit="images",
        features="cls",
        readouts=(MATCHED, FROZEN),
        needs="labels",
        probed=True,
        of_article=True,
    ),
    Task(
        name="retrieval",
        metric="Recall@1",
        definition=(
            "proportion of images whose nearest neighbour among all warped twins, by the cosine similarity of CLS, is "
            "their own twin; ties are misses"
        ),
        unit="images",
        features="cls",
        readouts=(DIRECT,),
        needs="twins",
        of_article=True,
    ),
    Task(
        name="correspondence",
        metric="hits/points",
        definition="proportion of patches whose nearest neighbour in the warped image is the corresponding patch",
        unit="image pairs",
        features="patches",
        readouts=(DIRECT,),
        needs="pairs",
        of_article=True,
    ),
    Task(
        name="cycle_consistency",
        metric="cycles/points",
        definition=(
            "proportion of patches that are the nearest neighbour of their own nearest neighbour in the warped image"
        ),
        unit="image pairs",
        features="patches",
        readouts=(DIRECT,),
        needs="pairs",
        part_of="correspondence",
        pairs="warped",
    ),
    Task(
        name="pck_per_image",
        metric="PCK, mean over images",
        definition=(
            "proportion of an image pair’s key points found within 0.1 of the longer side of the object’s bounding "
            "box, averaged over pairs"
        ),
        unit="image pairs",
        features="patches",
        readouts=(DIRECT,),
        needs="pairs",
        part_of="correspondence",
        pairs="annotated",
    ),
    Task(
        name="metric_depth",
        metric="RMSE, mean over images",
        definition=(
            "root of the mean squared difference between the depth of a pixel and what a ridge regression on patch "
            "tokens predicts, interpolated to pixels; of each image, then averaged over images"
        ),
        unit="images",
        features="patches",
        readouts=(MATCHED, FROZEN),
        needs="depths",
        on_records=False,
        probed=True,
        higher_is_better=False,
        bounded=False,
        percent=False,
        value_unit="m",
    ),
    Task(
        name="segmentation",
        metric="mIoU",
        definition=(
            "intersection over union, summed over images and then averaged over classes; predictions by a linear probe "
            "on patch tokens"
        ),
        unit="images",
        features="patches",
        readouts=(MATCHED, FROZEN),
        needs="masks",
        on_records=False,
        probed=True,
        of_article=True,
    ),
)
TASKS: Mapping[str, Task] = MappingProxyType({one.name: one for one in _ALL})
# What a config can ask for; the others come with these.
ASKED = tuple(name for name, task in TASKS.items() if not task.part_of)


def label_of(name: str) -> str:
    """Return a task's name in headings and figures, of tasks that are not ours too.

    Examples:
        >>> label_of("cycle_consistency")
        'cycle consistency'
    """
    return name.replace("_", " ")


def task_of(name: str) -> Task:
    """Return a task's record; for a task that is not ours, one of images and ratios of counts."""
    return TASKS.get(name) or Task(name, RATIO, "ratio of summed counts", "units", "", tuple(READOUTS), "")


def reported_tasks(task: str, pairs: str) -> tuple[str, ...]:
    """Return the tasks whose outcomes are written where ``task`` is asked for: itself, and what comes with it.

    Args:
        task: as asked for.
        pairs: kind of image pairs of the data set (warped, annotated); empty where that is not known.

    Examples:
        >>> reported_tasks("correspondence", "warped")
        ('correspondence', 'cycle_consistency')
        >>> reported_tasks("segmentation", "warped")
        ('segmentation',)
    """
    return (task, *(part.name for part in TASKS.values() if part.part_of == task and part.pairs == pairs and pairs))
