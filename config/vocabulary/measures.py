"""What is measured inside a network at every layer, beside the features."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

GEOMETRY, ATTENTION = "geometry", "attention"


@dataclass(frozen=True)
class Measure:
    """A measure of an image's tokens or attention at one layer.

    Attributes:
        name: its column in the files of measures.
        label: in tables and figures.
        definition: as printed under a table.
        kind: GEOMETRY or ATTENTION.
        decimals: printed.
        percent: whether it is a share that is printed in percent.
        unit: where it has one.
        variant_of: the measure whose sensitivity to its definition it shows.
    """

    name: str
    label: str
    definition: str
    kind: str = GEOMETRY
    decimals: int = 2
    percent: bool = False
    unit: str = ""
    variant_of: str = ""

    @property
    def title(self) -> str:
        """Its label with its unit."""
        unit = "%" if self.percent else self.unit
        return f"{self.label}, {unit}" if unit else self.label


EFFECTIVE_RANK = "effective_rank"
PATCH_NORM, HIGH_NORM_SHARE = "patch_norm", "high_norm_share"
DIVERGENCE = "js"
_ALL = (
    Measure(
        EFFECTIVE_RANK,
        "Effective rank",
        "exponential of the entropy of the eigenvalues of the Gram matrix of unit-length patch tokens, not centred",
    ),
    Measure(
        "effective_rank_share",
        "Share of patches",
        "effective rank divided by the number of patches",
        decimals=1,
        percent=True,
        variant_of=EFFECTIVE_RANK,
    ),
    Measure(
        "effective_rank_centred",
        "Centred",
        "effective rank of the patch tokens after subtracting their mean",
        variant_of=EFFECTIVE_RANK,
    ),
    Measure(
        "effective_rank_unnormalised",
        "Unnormalised",
        "effective rank of the patch tokens without scaling to unit length",
        variant_of=EFFECTIVE_RANK,
    ),
    Measure(
        "participation_ratio",
        "Participation ratio",
        "squared sum of the eigenvalues divided by the sum of their squares",
        variant_of=EFFECTIVE_RANK,
    ),
    Measure(
        PATCH_NORM, "Patch norm", "norm of the block’s output at each patch before the final norm; mean over patches"
    ),
    Measure(
        HIGH_NORM_SHARE,
        "High norms",
        "proportion of patches whose norm exceeds three times the median of their image",
        decimals=1,
        percent=True,
    ),
    Measure(
        "patch_cosine",
        "Patch cosine",
        "cosine similarity of each patch with itself under full, after the final norm; mean over patches",
        decimals=3,
    ),
    Measure(
        DIVERGENCE,
        "JS",
        "Jensen–Shannon divergence between attention under full and under the condition; mean over heads and queries",
        ATTENTION,
        decimals=3,
        unit="nats",
    ),
    Measure(
        "mass_cls_to_registers",
        "CLS to registers",
        "attention mass from CLS to the registers; mean over heads",
        ATTENTION,
        decimals=1,
        percent=True,
    ),
    Measure(
        "mass_patches_to_registers",
        "Patches to registers",
        "attention mass from the patches to the registers; mean over heads and patches",
        ATTENTION,
        decimals=1,
        percent=True,
    ),
)
# Those that tables name. Divergences and masses exist for every token group: js_<queries>, mass_<queries>_to_<keys>.
MEASURES: Mapping[str, Measure] = MappingProxyType({one.name: one for one in _ALL})
GEOMETRY_COLUMNS = tuple(name for name, measure in MEASURES.items() if measure.kind == GEOMETRY)
GROUP_DIVERGENCES = (DIVERGENCE, "js_cls", "js_registers", "js_patches")
GROUP_MASS = re.compile(r"mass_(cls|registers|patches)_to_(cls|registers|patches)")


def variants_of(measure: str) -> tuple[Measure, ...]:
    """Return the measures that show how much a measure depends on its definition."""
    return tuple(one for one in MEASURES.values() if one.variant_of == measure)
