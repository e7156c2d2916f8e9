"""What token rows can be replaced by."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

REFERENCE = "full"  # the condition that replaces nothing, and that every delta is taken against


@dataclass(frozen=True)
class Replacement:
    """A replacement of token rows after every block.

    Attributes:
        name: value of the config's key `by`.
        label: in figures and tables, where the tokens are named elsewhere.
        meaning: what a row becomes, as in docs/design.md; Markdown.
        methods: the same in words, for the report.
        article_label: in the article's table of replacements; empty for controls that it lacks.
        calibrated: draws on the calibration moments, so that only calibrated (prefix) tokens can take it.
        covariance: draws on the whole calibration covariance.
        mixes_images: takes rows of other images, so that a pass must hold whole groups.
        clean_pass: takes rows of the unchanged pass, which must come first.
        content_free: leaves nothing of the image's own content in the row.
        keeps_constant: leaves a row that is the same for every image as it is.
    """

    name: str
    label: str
    meaning: str
    methods: str
    article_label: str = ""
    calibrated: bool = False
    covariance: bool = False
    mixes_images: bool = False
    clean_pass: bool = False
    content_free: bool = True
    keeps_constant: bool = False

    @property
    def for_random_patches(self) -> bool:
        """Whether patches, which have no calibration moments and no row of the clean pass, can take it."""
        return not (self.calibrated or self.clean_pass)


_ALL = (
    Replacement(
        name="zero",
        label="zero",
        article_label="Zero registers",
        meaning="0",
        methods="zeros",
    ),
    Replacement(
        name="mean",
        label="mean",
        article_label="Mean-sub",
        meaning="the calibration mean of that layer and token",
        methods="the calibration mean of that layer and token",
        calibrated=True,
        keeps_constant=True,
    ),
    Replacement(
        name="noise",
        label="noise",
        article_label="Noise-sub",
        meaning=(
            "a Gaussian draw with the calibration mean and variance of that layer and token, per dimension, keyed by "
            "(seed, image, layer, token)"
        ),
        methods="Gaussian noise with the calibration mean and variance of that layer and token",
        calibrated=True,
    ),
    Replacement(
        name="resample",
        label="resample",
        meaning=(
            "a Gaussian draw with the calibration mean and the whole covariance of that layer and token, from the same "
            "normal values as `noise`, by its symmetric square root; tokens are drawn independently of each other"
        ),
        methods="a Gaussian draw with the calibration mean and full covariance of that layer and token",
        calibrated=True,
        covariance=True,
    ),
    Replacement(
        name="shuffle",
        label="shuffle",
        article_label="Shuffle",
        meaning=(
            "the same row of another image in the same pass; donors are a derangement within fixed groups of "
            "`shuffle_group` (64) images, drawn per layer, keyed by (seed, group, layer)"
        ),
        methods="the same token of another image, with a new donor image at every layer",
        mixes_images=True,
        keeps_constant=True,
    ),
    Replacement(
        name="shuffle_trajectory",
        label="shuffle, one donor",
        meaning=("the same row of another image's unchanged pass, one donor for all layers, keyed by (seed, group)"),
        methods="the same token of another image, with one donor image for all layers",
        mixes_images=True,
        clean_pass=True,
        keeps_constant=True,
    ),
)
# In the order of tables and figures.
REPLACEMENTS: Mapping[str, Replacement] = MappingProxyType({one.name: one for one in _ALL})
