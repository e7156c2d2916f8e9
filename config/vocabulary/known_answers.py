"""The families of known-answer models, and the answer that their attention mask fixes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

CHANCE, UNCHANGED = "chance", "unchanged"


@dataclass(frozen=True)
class KnownAnswer:
    """A family of known-answer models.

    Attributes:
        family: value of the config's key `family`, for source known_answer.
        mask: who may attend to whom.
        answer: what follows, in a few words for figures.
        check: CHANCE where replacing the content of all registers must leave classification at chance; UNCHANGED
            where a replacement that keeps constant rows must change nothing; empty where nothing is known.
        registers: how many it has.
    """

    family: str
    mask: str
    answer: str
    check: str = ""
    registers: int = 4


_ALL = (
    KnownAnswer("plain", "no registers", "no registers to replace", registers=0),
    KnownAnswer("open", "everyone to everyone", "no known answer"),
    KnownAnswer(
        "bottleneck",
        "CLS only to itself and the registers",
        "known: chance without content",
        CHANCE,
    ),
    KnownAnswer(
        "sink",
        "registers only to themselves; every other token's logits towards them carry +3",
        "known: mean, shuffle as full",
        UNCHANGED,
    ),
)
KNOWN_ANSWERS: Mapping[str, KnownAnswer] = MappingProxyType({one.family: one for one in _ALL})
SCALES = ("S", "B")
