"""Where the images of a data set come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from config.vocabulary.tasks import ASKED, TASKS


@dataclass(frozen=True)
class Source:
    """A kind of data set.

    Attributes:
        name: value of the config's key `source`.
        label: in the report.
        holds: what lies in the data set's folder, for the config's docs; empty where nothing is read.
        has: what a task can need of it: labels, twins (warped pairs), pairs (of either kind), masks, depths, training
            (images to train a probe on).
        pairs: kind of its image pairs: warped or annotated.
        keys: keys of a data set that it has a use for, beside those of every source.
        layout: files and folders that must be in its folder, checked before anything runs; alternatives are parted by
            " or ".
        required: keys that it cannot do without, beside path.
    """

    name: str
    label: str
    holds: str
    has: frozenset[str]
    pairs: str
    keys: frozenset[str]
    layout: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks that a config can ask for on it."""
        return tuple(name for name in ASKED if TASKS[name].needs in self.has)

    @property
    def read(self) -> bool:
        """Whether it is read from a folder."""
        return "path" in self.keys


_WARPED = frozenset({"twins", "pairs"})
_PHOTOGRAPHS = frozenset({"path", "calibration", "pairs", "resize", "warps"})
_ALL = (
    Source(
        name="scenes",
        label="scenes drawn by this project",
        holds="",
        has=_WARPED | {"labels", "masks", "training"},
        pairs="warped",
        keys=frozenset({"calibration", "calibration_trains", "train", "test", "pairs", "segmentation_train", "warps"}),
    ),
    Source(
        name="class_folders",
        label="images in class folders",
        holds="train/<class>/* and test/<class>/* (or val/<class>/*), or <class>/* with test_share",
        has=_WARPED | {"labels", "training"},
        pairs="warped",
        keys=_PHOTOGRAPHS | {"calibration_trains", "test_share", "per_class"},
        layout=("train", "test or val"),
    ),
    Source(
        name="imagenet",
        label="validation images of ImageNet (ILSVRC 2012)",
        holds="ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz, as they are distributed; nothing is unpacked",
        has=_WARPED | {"labels", "training"},
        pairs="warped",
        keys=_PHOTOGRAPHS | {"calibration_trains", "test_share", "per_class"},
        layout=("ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz"),
        required=frozenset({"test_share"}),
    ),
    Source(
        name="voc",
        label="images with class masks, in the layout of Pascal VOC",
        holds="Pascal VOC: JPEGImages/, SegmentationClass/, ImageSets/Segmentation/train.txt and val.txt",
        has=_WARPED | {"masks", "training"},
        pairs="warped",
        keys=_PHOTOGRAPHS | {"calibration_trains", "classes", "segmentation_train"},
        layout=(
            "JPEGImages",
            "SegmentationClass",
            "ImageSets/Segmentation/train.txt",
            "ImageSets/Segmentation/val.txt",
        ),
    ),
    Source(
        name="ade20k",
        label="ADE20K, 150 classes (SceneParsing)",
        holds="ADEChallengeData2016: images/ and annotations/, each with training/ and validation/; objectInfo150.txt",
        has=_WARPED | {"masks", "training"},
        pairs="warped",
        keys=_PHOTOGRAPHS | {"calibration_trains", "segmentation_train"},
        layout=(
            "images/training",
            "images/validation",
            "annotations/training",
            "annotations/validation",
            "objectInfo150.txt",
        ),
    ),
    Source(
        name="nyu",
        label="NYU Depth v2, labelled frames",
        holds="nyu_depth_v2_labeled.mat and splits.mat",
        has=_WARPED | {"depths", "training"},
        pairs="warped",
        keys=_PHOTOGRAPHS | {"calibration_trains"},
        layout=("nyu_depth_v2_labeled.mat", "splits.mat"),
    ),
    Source(
        name="images",
        label="unlabelled images",
        holds="images without labels, however deep",
        has=_WARPED,
        pairs="warped",
        keys=_PHOTOGRAPHS,
    ),
    Source(
        name="spair",
        label="annotated image pairs of SPair-71k",
        holds="SPair-71k: JPEGImages/, PairAnnotation/test/, Layout/large/test.txt",
        has=frozenset({"pairs"}),
        pairs="annotated",
        keys=frozenset({"path"}),
        layout=("JPEGImages", "PairAnnotation/test", "Layout/large/test.txt"),
    ),
)
SOURCES: Mapping[str, Source] = MappingProxyType({one.name: one for one in _ALL})


def sources_with(key: str) -> tuple[str, ...]:
    """Return the sources that have a use for a key of a data set.

    Examples:
        >>> sources_with("test_share")
        ('class_folders', 'imagenet')
    """
    return tuple(name for name, source in SOURCES.items() if key in source.keys)


def pairs_of(source: str | None) -> str:
    """Return the kind of image pairs of a source; empty for data sets that are not ours."""
    known = SOURCES.get(source or "")
    return known.pairs if known else ""
