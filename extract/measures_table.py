"""The measures of a shard as files: one row per image × condition × layer, and beside them the mean spectra.

Spectra are kept as sums over images, which add up over shards.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from config.files import written_whole
from extract.measures import PassMeasures, columns
from extract.tokens import TokenLayout


class MeasuresTable:
    """The measures of a shard as they come in. Their number is that of the measured images, which config bounds."""

    def __init__(self, layout: TokenLayout) -> None:
        self._columns = columns(layout)
        self._frames: list[pd.DataFrame] = []
        self._spectra: dict[tuple[str, int], tuple[NDArray[np.float64], int]] = {}

    def add(self, measured: PassMeasures, condition: str, units: NDArray[np.str_], attended: NDArray[np.bool_]) -> None:
        """Add the measures of one pass.

        Args:
            measured: of the pass, complete and on the host.
            condition: it was made under.
            units: identities of the measured images.
            attended: which of them have their attention measured.
        """
        layers = sorted({layer for block in measured.geometry for layer in block.layers})
        values = np.full((len(layers), len(units), len(self._columns)), np.nan, np.float32)
        everyone = np.ones(len(units), bool)
        for images, blocks in ((everyone, measured.geometry), (attended, measured.attention)):
            for block in blocks:
                places = _places(block.layers, layers), np.flatnonzero(images), _places(block.columns, self._columns)
                values[np.ix_(*map(np.asarray, places))] = block.values.numpy()
        keys = {"unit": np.tile(units, len(layers)), "condition": condition, "layer": np.repeat(layers, len(units))}
        if layers:
            frame = pd.DataFrame(values.reshape(-1, len(self._columns)), columns=self._columns)
            self._frames.append(pd.concat([pd.DataFrame(keys), frame], axis=1))
        for several, spectra in measured.spectra:
            for layer, spectrum in zip(several, spectra.sum(dim=1).numpy(), strict=True):
                total, n = self._spectra.get((condition, layer), (np.zeros(len(spectrum)), 0))
                self._spectra[condition, layer] = (total + spectrum, n + len(units))

    def measures(self) -> pa.Table:
        """Return one row per image × condition × layer."""
        keys = [("unit", pa.string()), ("condition", pa.string()), ("layer", pa.int64())]
        schema = pa.schema([*keys, *((name, pa.float32()) for name in self._columns)])
        if not self._frames:
            return schema.empty_table()
        return pa.Table.from_pandas(pd.concat(self._frames), schema, preserve_index=False)

    def spectra(self) -> pd.DataFrame:
        """Return the spectra: condition, layer, component (from 1), the sum of its share over images, and images."""
        rows = [
            (condition, layer, component, value, n)
            for (condition, layer), (total, n) in self._spectra.items()
            for component, value in enumerate(total, start=1)
        ]
        kinds = {"condition": str, "layer": np.int64, "component": np.int64, "share_sum": float, "images": np.int64}
        return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)

    def save(self, measures: Path, spectra: Path) -> None:
        """Write both."""
        with written_whole(measures) as partial, written_whole(spectra) as partial_spectra:
            pq.write_table(self.measures(), partial)
            self.spectra().to_parquet(partial_spectra, index=False)


def _places(wanted: Iterable[str | int], among: list[str] | list[int]) -> list[int]:
    place = {each: k for k, each in enumerate(among)}
    return [place[each] for each in wanted]
