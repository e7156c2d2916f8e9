"""What a report is made from, read and checked: settings, packs, tables, verdicts, published numbers.

Numbers stay the text that the files hold; only printing turns them into something else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from analysis.rows.ablation import ReplacementRow
from analysis.rows.registry import AUDIT, MULTIVERSE, TABLES, TESTS
from analysis.rows.schema import Cells as Cells
from analysis.rows.schema import names_of, read_cells, read_text
from config.errors import InputError
from config.layout import ERROR_RATES, Run
from config.settings import Model, Settings, load_settings
from reports.reasons import Reasons, read_reasons

# Of files that no table of a run declares: the columns that pages read.
PUBLISHED = ("id", "location", "model", "condition", "task", "metric", "value", "unit")
RATES = (
    "quantity",
    "procedure",
    "data",
    "n",
    "sets",
    "expected",
    "rate",
    "standard_error",
    "low",
    "high",
    "within",
    "seed",
    "code",
)
PUBLISHED_FILES = ("tables.csv", "figures.csv", "interactive.csv")


@dataclass(frozen=True)
class CsvTable:
    """A CSV file: its columns, and its rows as text."""

    columns: tuple[str, ...]
    rows: tuple[Cells, ...]


@dataclass(frozen=True)
class Inputs:
    """Everything that the pages print.

    Attributes:
        run: where the files lie.
        settings: the run's settings.
        packs: data set → the facts of its pack.
        statistics: table or test of the analysis → its rows.
        replacement: with its columns, whose number depends on the run.
        audit: table of the audit → its rows.
        reasons: claim → why it has its verdict.
        published: rows of the published tables.
        published_folder, published_counts: where the published numbers lie; file → rows.
        error_rates: the simulated rates, which are of the code and of no run.
        multiverse: table of the run's universes → its rows; empty where none were run.
    """

    run: Run
    settings: Settings
    packs: Mapping[str, Mapping[str, Any]]
    statistics: Mapping[str, tuple[Cells, ...]]
    replacement: CsvTable
    audit: Mapping[str, tuple[Cells, ...]]
    reasons: Mapping[str, Reasons]
    published: tuple[Cells, ...]
    published_folder: Path
    published_counts: Mapping[str, int]
    error_rates: tuple[Cells, ...]
    multiverse: Mapping[str, tuple[Cells, ...]]

    @property
    def ablation(self) -> tuple[Cells, ...]:
        """Value, delta and tests of every condition."""
        return self.statistics["ablation"]

    @property
    def checks(self) -> tuple[Cells, ...]:
        """Known answers, and what was observed."""
        return self.statistics["known_answers"]

    @property
    def measures(self) -> tuple[Cells, ...]:
        """Geometry and attention by condition and layer."""
        return self.statistics["layer_measures"]

    @property
    def claims(self) -> tuple[Cells, ...]:
        """Claims of the article, judged."""
        return self.audit["claims"]

    @property
    def sections(self) -> tuple[Cells, ...]:
        """Sections of the article."""
        return self.audit["summary"]

    @property
    def points(self) -> tuple[Cells, ...]:
        """Values that findings rest on."""
        return self.audit["points"]

    @property
    def sources(self) -> tuple[Cells, ...]:
        """Pairs of published values for one quantity."""
        return self.audit["sources"]

    @property
    def reproduced(self) -> tuple[Cells, ...]:
        """Claims with what the run measured of them."""
        return self.audit["reproduced"]

    @property
    def datasets(self) -> tuple[str, ...]:
        """Data sets as the config lists them."""
        return tuple(self.settings.datasets)

    @property
    def models(self) -> Mapping[str, Model]:
        """Model → its settings."""
        return self.settings.models

    def downloads(self) -> dict[str, Path]:
        """Return the files that readers may download: place in the report → file of the run."""
        found = {
            f"{folder.name}/{file.name}": file
            for folder in (self.run.tables, self.run.tests, self.run.audit, self.run.multiverse("universes").parent)
            for file in sorted((*folder.glob("[!.]*.csv"), *folder.glob("[!.]*.json"), *folder.glob("[!.]*.md")))
        }
        found |= {f"published/{name}": self.published_folder / name for name in PUBLISHED_FILES}
        for dataset in (*self.datasets, "audit"):
            for file in sorted((self.run.figures / dataset).glob("[!.]*.svg")):
                found[f"figures/{dataset}/{file.name}"] = file
        if self.multiverse:
            found[f"multiverse/{self.run.specification_curve.name}"] = self.run.specification_curve
        return found


def read_inputs(settings: Path, published: Path) -> Inputs:
    """Read a run and the published numbers.

    Args:
        settings: `settings.yaml` of the run; everything else is in its folder (`config.layout.Run`).
        published: folder of the published numbers.

    Raises:
        ConfigError: the settings are missing or cannot be used.
        InputError: a pack's facts or one of their keys is missing; the message says which, and what makes it.
        TableError: a CSV file or one of its columns is missing, or a cell is not of its column's type.
    """
    run = Run(settings.parent)
    loaded = load_settings(settings)
    return Inputs(
        run=run,
        settings=loaded,
        packs={
            name: _read_yaml(run.pack(name).facts, ("images", "classes", "splits", "chance"))
            for name in loaded.datasets
        },
        statistics={
            name: read_cells(kind, folder / f"{name}.csv")
            for folder, kinds in ((run.tables, TABLES), (run.tests, TESTS))
            for name, kind in kinds.items()
        },
        replacement=read_csv(run.tables / "replacement.csv", names_of(ReplacementRow)),
        reasons=read_reasons(run.audit / "claims.json"),
        audit={name: read_cells(kind, run.audit / f"{name}.csv") for name, kind in AUDIT.items()},
        published=read_csv(published / "tables.csv", PUBLISHED).rows,
        published_folder=published,
        published_counts={name: len(read_csv(published / name, ()).rows) for name in PUBLISHED_FILES},
        error_rates=read_csv(ERROR_RATES, RATES).rows,
        multiverse={name: read_cells(kind, run.multiverse(name)) for name, kind in MULTIVERSE.items()}
        if run.multiverse("universes").is_file()
        else {},
    )


def read_csv(path: Path, needed: Sequence[str]) -> CsvTable:
    """Read a CSV file as text; TableError if it or a needed column is missing."""
    return CsvTable(*read_text(path, needed))


def _read_yaml(path: Path, needed: Sequence[str]) -> Mapping[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing. Run the workflow up to it: `snakemake {path}`.") from error
    if not isinstance(loaded, dict):
        raise InputError(f"{path}: not a mapping of keys. Delete it and run the workflow again.")
    missing = [key for key in needed if key not in loaded]
    if missing:
        raise InputError(f"{path}: missing key {', '.join(missing)}. Delete it and run the workflow again.")
    return loaded
