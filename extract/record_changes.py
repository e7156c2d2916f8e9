"""How far each condition moves the records themselves: ``python -m extract.record_changes --help``.

The strictest reading of "a replacement changes nothing": not that a score stays, but that every feature does.
"""

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
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
        skipped: why the model could not be put under the condition; empty where it could.
    """

    model: str
    dataset: str
    condition: str
    token: str | None = None
    layer: int | None = None
    max_abs_change: float | None = None
    skipped: str = ""


COLUMNS = ("model", "dataset", "condition", "token", "layer", "max_abs_change")
RecordRow = dict[str, str]  # of a model's file: COLUMNS, and skipped


def record_changes(settings: Settings, folder: Run, model: str) -> Iterator[RecordChange]:
    """Yield how far each condition moves each token, after every layer that it and ``full`` were recorded after.

    A condition that the model could not be put under is one row without a token, with the reason.
    """
    for dataset in settings.recorded:
        records = records_of(settings, folder, model, dataset)
        full = records.pop(REFERENCE)
        assert not isinstance(full, Skipped)
        groups = {"cls": ("cls",), "registers": full.registers, "patch_mean": ("patch_mean",)}
        for condition, changed in records.items():
            if isinstance(changed, Skipped):
                yield RecordChange(model, dataset.name, condition, skipped=changed.reason)
                continue
            for group, tokens in groups.items():
                kept = [token for token in tokens if token in full.tokens]
                for layer in sorted(set(full.layers) & set(changed.layers)) if kept else []:
                    # NumPy's maximum, unlike Python's, lets no NaN pass for a number.
                    largest = float(np.max([_largest(full, changed, token, layer) for token in kept]))
                    yield RecordChange(model, dataset.name, condition, group, layer, largest)


def untaken(changes: Sequence[RecordRow]) -> Iterator[str]:
    """Yield the conditions that no model could be put under, with what each lacks and the remedy, a line each.

    Args:
        changes: rows of every model's file.
    """
    taken = {each["condition"] for each in changes if not each["skipped"]}
    reasons: dict[str, list[str]] = {}
    for each in changes:
        if each["skipped"] and each["condition"] not in taken:
            reasons.setdefault(each["condition"], []).append(each["skipped"])
    for condition, found in reasons.items():
        yield (
            f"conditions.{condition}: no model of this run could be put under it "
            f"({'; '.join(dict.fromkeys(found))}); add a model that has these tokens, or remove the condition"
        )


def read_changes(path: Path) -> list[RecordRow]:
    """Read the rows of one model's file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _largest(full: Records, changed: Records, token: str, layer: int) -> float:
    before, after = (records.features(token, layer).astype(np.float64) for records in (full, changed))
    return float(np.abs(after - before).max())


def run(settings: Settings, folder: Run, model: str) -> None:
    """Compare the records of a model of a run with those under ``full``, and write the result."""
    changes = record_changes(settings, folder, model)
    write_csv(folder.changes_of(model), [*COLUMNS, "skipped"], map(asdict, changes), digits=6)


def put_together(settings: Settings, folder: Run) -> None:
    """Write the changes of every model of a run as one table, and warn of conditions that no model took."""
    rows = [row for model in settings.models for row in read_changes(folder.changes_of(model))]
    for line in untaken(rows):
        print(f"warning: {line}", file=sys.stderr)
    write_csv(folder.record_changes, COLUMNS, [row for row in rows if not row["skipped"]])


def main() -> None:
    """Command line: compare the records of a model with those under ``full``, or put all models together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run")
    parser.add_argument("--model", help="compare the records of this model; where left out, put all models together")
    arguments = parser.parse_args()
    settings, folder = load_settings(arguments.settings), Run(arguments.settings.parent)
    if arguments.model is None:
        put_together(settings, folder)
    else:
        run(settings, folder, arguments.model)


if __name__ == "__main__":
    report_errors(main)
