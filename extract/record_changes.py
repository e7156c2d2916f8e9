"""How far each condition moves the records themselves: ``python -m extract.record_changes --help``.

The strictest reading of "a replacement changes nothing": not that a score stays, but that every feature does.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from config.errors import report_errors
from config.files import written_whole
from config.layout import Run
from config.settings import Settings, load_settings
from extract.evaluate import records_of
from extract.records import Records, Skipped


def record_changes(settings: Settings, folder: Run) -> pd.DataFrame:
    """Return the largest absolute change against ``full`` of any feature.

    One row a model, data set, condition, token (registers together) and layer that both were recorded after.
    """
    rows = []
    for model in settings.models:
        for dataset in settings.datasets.values():
            records = records_of(settings, folder, model, dataset)
            full = records["full"]
            assert not isinstance(full, Skipped)
            for condition, changed in records.items():
                if isinstance(changed, Skipped) or condition == "full":
                    continue
                groups = {"cls": ("cls",), "registers": full.registers, "patch_mean": ("patch_mean",)}
                for group, tokens in groups.items():
                    kept = [token for token in tokens if token in full.tokens]
                    for layer in sorted(set(full.layers) & set(changed.layers)) if kept else []:
                        # NumPy's maximum, unlike Python's, lets no NaN pass for a number.
                        largest = np.max([_largest(full, changed, token, layer) for token in kept])
                        rows.append((model, dataset.name, condition, group, layer, largest))
    columns = ["model", "dataset", "condition", "token", "layer", "max_abs_change"]
    return pd.DataFrame(rows, columns=columns)


def _largest(full: Records, changed: Records, token: str, layer: int) -> float:
    before, after = (records.features(token, layer).astype(np.float64) for records in (full, changed))
    return float(np.abs(after - before).max())


def main() -> None:
    """Command line: compare the records of every model of a run with those under ``full``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run")
    arguments = parser.parse_args()
    folder = Run(arguments.settings.parent)
    changes = record_changes(load_settings(arguments.settings), folder)
    with written_whole(folder.record_changes) as path:
        changes.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")


if __name__ == "__main__":
    report_errors(main)
