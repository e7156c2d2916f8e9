"""Which rows of the token sequence a condition can replace, and which features a probe can read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class TokenGroup:
    """A group of token rows that a config can name.

    Attributes:
        name: as in the config.
        label: in sentences.
        calibrated: whether the rows have calibration moments.
        alone: whether no other token can be replaced beside it.
    """

    name: str
    label: str
    calibrated: bool = True
    alone: bool = False


RANDOM_PATCHES = "random_patches"
_ALL = (
    TokenGroup("cls", "CLS"),
    TokenGroup("registers", "all registers"),
    TokenGroup(RANDOM_PATCHES, "random patches", calibrated=False, alone=True),
)
# Besides these, each register by itself: r1, r2, ….
TOKEN_GROUPS: Mapping[str, TokenGroup] = MappingProxyType({one.name: one for one in _ALL})
REGISTER = re.compile(r"r[1-9][0-9]*")
TOKEN = rf"^({'|'.join(TOKEN_GROUPS)}|{REGISTER.pattern})$"
# Features that are recorded and classified; `registers` in a config stands for each register by itself.
FEATURES: Mapping[str, str] = MappingProxyType(
    {
        "cls": "CLS",
        "registers": "each register",
        "register_mean": "mean of registers",
        "patch_mean": "mean of patches",
    }
)


def is_register(token: str) -> bool:
    """Tell whether a token name is that of a single register.

    Examples:
        >>> is_register("r12"), is_register("registers"), is_register("r0")
        (True, False, False)
    """
    return REGISTER.fullmatch(token) is not None


def group_of(tokens: tuple[str, ...]) -> str:
    """Return the group that a condition replaces as a whole, or ``""`` where it replaces a part or a mixture.

    Examples:
        >>> group_of(("registers",))
        'registers'
        >>> group_of(("cls", "r1"))
        ''
    """
    return tokens[0] if len(tokens) == 1 and tokens[0] in TOKEN_GROUPS else ""
