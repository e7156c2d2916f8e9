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
from extract.records import Skipped


def record_changes(settings: Settings, folder: Run) -> pd.DataFrame:
    """Return the largest absolute change against ``full`` of any feature, one row a model, data set, condition,
    token and recorded layer (counted in the order of ``extraction.layers``).
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
                for token in ("cls", "registers", "patch_mean"):
                    difference = np.abs(getattr(changed, token) - getattr(full, token))
                    if difference.size == 0:
                        continue
                    axes = tuple(axis for axis in range(difference.ndim) if axis != 1)
                    for layer, largest in enumerate(difference.max(axis=axes)):
                        rows.append((model, dataset.name, condition, token, layer, largest))
    columns = ["model", "dataset", "condition", "token", "layer", "max_abs_change"]
    return pd.DataFrame(rows, columns=columns)


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
