"""How far each condition moves the records themselves: ``python -m extract.record_changes --help``.

The strictest reading of "a replacement changes nothing": not that a score stays, but that every feature does.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from config.errors import report_errors
from config.files import write_csv
from config.layout import Run
from config.settings import Settings, load_settings
from config.vocabulary.replacements import REFERENCE
from extract.evaluate import records_of
from extract.records import Records, Skipped


@dataclass(frozen=True)
class RecordChange:
    """How far a condition moves what is recorded of a token.

    Attributes:
        model, dataset, condition: what was recorded.
        token: cls, registers (all together) or patch_mean.
        layer: that both passes were recorded after.
        max_abs_change: largest absolute change of any feature of any image against ``full``.
    """

    model: str
    dataset: str
    condition: str
    token: str
    layer: int
    max_abs_change: float


def record_changes(settings: Settings, folder: Run) -> Iterator[RecordChange]:
    """Yield how far each condition moves each token, after every layer that it and ``full`` were recorded after."""
    for model in settings.models:
        for dataset in settings.recorded:
            records = records_of(settings, folder, model, dataset)
            full = records.pop(REFERENCE)
            assert not isinstance(full, Skipped)
            groups = {"cls": ("cls",), "registers": full.registers, "patch_mean": ("patch_mean",)}
            for condition, changed in records.items():
                if isinstance(changed, Skipped):
                    continue
                for group, tokens in groups.items():
                    kept = [token for token in tokens if token in full.tokens]
                    for layer in sorted(set(full.layers) & set(changed.layers)) if kept else []:
                        # NumPy's maximum, unlike Python's, lets no NaN pass for a number.
                        largest = float(np.max([_largest(full, changed, token, layer) for token in kept]))
                        yield RecordChange(model, dataset.name, condition, group, layer, largest)


def untaken(settings: Settings, folder: Run) -> Iterator[str]:
    """Yield the conditions that no model could be put under, with what each lacks and the remedy, a line each."""
    skipped: dict[str, list[str]] = {}
    taken = set()
    for model in settings.models:
        for dataset in settings.recorded:
            for condition, records in records_of(settings, folder, model, dataset).items():
                if isinstance(records, Skipped):
                    skipped.setdefault(condition, []).append(records.reason)
                else:
                    taken.add(condition)
    for condition, reasons in skipped.items():
        if condition not in taken:
            yield (
                f"conditions.{condition}: no model of this run could be put under it "
                f"({'; '.join(dict.fromkeys(reasons))}); add a model that has these tokens, or remove the condition"
            )


def _largest(full: Records, changed: Records, token: str, layer: int) -> float:
    before, after = (records.features(token, layer).astype(np.float64) for records in (full, changed))
    return float(np.abs(after - before).max())


def main() -> None:
    """Command line: compare the records of every model of a run with those under ``full``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run")
    arguments = parser.parse_args()
    settings, folder = load_settings(arguments.settings), Run(arguments.settings.parent)
    for line in untaken(settings, folder):
        print(f"warning: {line}", file=sys.stderr)
    changes = record_changes(settings, folder)
    write_csv(folder.record_changes, list(RecordChange.__dataclass_fields__), map(asdict, changes), digits=6)


if __name__ == "__main__":
    report_errors(main)
