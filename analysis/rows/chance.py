"""Chance level of a data set's classification, as its pack states it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from config.errors import InputError

CHECKED_AGAINST_CHANCE = "classification"


@dataclass(frozen=True)
class Chance:
    """Accuracy of a classifier that sees nothing of the image, fractions.

    Between guessing evenly (1 / classes) and always naming the most frequent class.
    """

    low: float
    high: float

    def __str__(self) -> str:
        """Return one number where both ends are the same."""
        return f"{self.low:.4g}" if self.low == self.high else f"{self.low:.4g} to {self.high:.4g}"


def read_chance(pack: Path) -> Chance:
    """Read the chance level that a pack states.

    Raises:
        InputError: naming the file and key where it states none.
    """
    stated = yaml.safe_load(pack.read_text(encoding="utf-8"))
    try:
        chance = Chance(low=float(stated["chance"]["low"]), high=float(stated["chance"]["high"]))
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{pack}: key 'chance' with 'low' and 'high' is missing. Delete the pack and prepare the data set again."
        ) from error
    if not 0 <= chance.low <= chance.high <= 1:
        raise InputError(f"{pack}: key 'chance': {chance} is no range of fractions. Delete the pack and prepare again.")
    return chance
