"""Read the measures of a run: effective ranks, norms, divergence and attention by image, condition and layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.outcomes.schema import listed, require_names, rows
from config.errors import InputError

KEYS = ("unit", "condition", "layer")


class MeasureError(InputError):
    """Raised for an unusable file of measures; the message names the file and the remedy."""


@dataclass(frozen=True, eq=False)
class LayerMeasures:
    """Measures of one model on one dataset: one row per image, condition and layer, sorted by image."""

    model: str
    family: str
    scale: str
    dataset: str
    frame: pd.DataFrame

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers, in order."""
        return tuple(sorted(self.frame["layer"].unique().tolist()))

    @property
    def conditions(self) -> tuple[str, ...]:
        """Conditions, sorted."""
        return tuple(sorted(self.frame["condition"].unique()))

    @property
    def columns(self) -> tuple[str, ...]:
        """The measures."""
        return tuple(name for name in self.frame.columns if name not in KEYS)

    def values(self, measure: str, condition: str, layer: int) -> pd.Series:
        """Return a measure by image, sorted by image; empty where it was not taken."""
        here = self._parts.get((condition, layer))
        if here is None or measure not in here:
            return pd.Series(dtype=np.float64)
        return here[measure].dropna()

    @cached_property
    def _parts(self) -> dict[tuple[str, int], pd.DataFrame]:
        return {
            (condition, layer): self.frame[
                (self.frame["condition"] == condition) & (self.frame["layer"] == layer)
            ].set_index("unit")
            for condition in self.conditions
            for layer in self.layers
        }


def read_measures(folder: Path, models: dict[str, tuple[str, str]], datasets: Sequence[str]) -> list[LayerMeasures]:
    """Read `<folder>/<model>/<dataset>/*.parquet` where there are any, in the order of models and datasets.

    Args:
        folder: of the run's measures; it may lack any of them.
        models: model → family and scale.
        datasets: datasets in display order.

    Raises:
        MeasureError: an unreadable file, a missing column, or an image that is there twice.
        OutcomeError: a condition that is no name.
    """
    found = []
    for model, (family, scale) in models.items():
        for dataset in datasets:
            # The mean spectra lie beside the measures.
            files = sorted((folder / model / dataset).glob("[!.]*.parquet"))
            paths = [path for path in files if not path.stem.endswith(".spectra")]
            if paths:
                frame = pd.concat([_read(path) for path in paths], ignore_index=True)
                _require_unique(frame, folder / model / dataset)
                frame = frame.sort_values(list(KEYS), kind="stable", ignore_index=True)
                found.append(LayerMeasures(model, family, scale, dataset, frame))
    return found


def _read(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise MeasureError(
            f"{path}: cannot be read as parquet ({error}). Delete the file and extract again."
        ) from error
    missing = [name for name in KEYS if name not in frame.columns]
    if missing:
        raise MeasureError(f"{path}: missing column {listed(missing)}; the file has {listed(frame.columns)}.")
    require_names(frame["condition"].dropna().astype(str), path)
    return frame


def _require_unique(frame: pd.DataFrame, folder: Path) -> None:
    repeated = frame.duplicated(list(KEYS), keep=False)
    if repeated.any():
        raise MeasureError(
            f"{folder}: column 'unit': {rows(repeated)} repeat an image under one condition and layer, for example "
            f"'{frame['unit'][repeated].iloc[0]}'. Were two shards written twice?"
        )
