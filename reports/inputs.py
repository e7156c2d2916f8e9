"""What a report is made from, read and checked: settings, packs, tables, verdicts, published numbers.

Numbers stay the text that the files hold; only printing turns them into something else.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from config.layout import ERROR_RATES, Run
from reports.errors import ReportError
from reports.reasons import Reasons, read_reasons

Cells = Mapping[str, str]

ABLATION = (
    *("dataset", "task", "metric", "model", "family", "scale", "readout", "condition", "n", "clusters"),
    *("value", "value_low", "value_high", "delta", "delta_low", "delta_high"),
    *("p", "p_exact", "p_smallest", "p_mc_error", "p_holm", "p_max_t", "draws", "resamples", "level", "seed"),
)
REPLACEMENT = ("dataset", "condition")
MEASURES = (
    *("dataset", "model", "family", "scale", "condition", "layer", "measure"),
    *("n", "median", "q25", "q75"),
)
CHECKS = (
    *("dataset", "model", "family", "check", "condition", "quantity", "expected"),
    *("observed", "low", "high", "passed"),
)
CLAIMS = (
    *("id", "place", "kind", "claim", "published", "recomputed", "tolerance", "verdict", "why"),
    *("numbers", "severity", "value", "conclusion", "gap", "rank", "foremost", "reading", "strictest"),
)
SECTIONS = ("place", "claims", "none", "rounding", "number", "conclusion", "failing")
POINTS = ("claim", "role", "number", "label", "value", "low", "high", "source")
SOURCES = (
    *("quantity", "first_value", "first_source", "second_value", "second_source"),
    *("unit", "apart", "spread", "agreement", "superseded"),
)
REPRODUCED = ("claim", "reproduced", "measured", "quantities", "number", "published", "low", "high", "from")
PUBLISHED = ("id", "location", "model", "condition", "task", "metric", "value", "unit")
# Table or test of the analysis → folder, and the columns that pages read.
STATISTICS = {
    "comparisons": (
        "tests",
        *("comparison", "dataset", "task", "readout", "condition", "within", "base", "changed", "n", "base_delta"),
        *("changed_delta", "difference", "low", "high", "p", "p_holm", "p_max_t", "p_equivalence", "conclusion"),
        "units_to_decide",
    ),
    "equivalence": (
        "tests",
        *("dataset", "task", "model", "readout", "condition", "n", "delta", "low", "high", "conclusion"),
        "units_to_decide",
    ),
    "random_patches": (
        "tests",
        *("dataset", "task", "model", "readout", "condition", "control", "draws_of_patches", "delta", "random_mean"),
        *("random_spread", "random_least", "random_most", "difference", "low", "high", "p_holm"),
    ),
    "readouts": (
        "tests",
        *("dataset", "task", "model", "condition", "matched_delta", "frozen_delta", "difference", "low", "high"),
        "p_holm",
    ),
    "trends": (
        "tests",
        *("dataset", "model", "condition", "measure", "n", "first", "last", "with_trend", "against"),
        *("largest_against", "reading"),
    ),
    "additivity": (
        "tables",
        *("dataset", "task", "model", "readout", "condition", "size", "delta", "predicted", "excess", "excess_low"),
        *("excess_high", "reading"),
    ),
    "cumulative": ("tables", "dataset", "readout", "orders"),
    "geometry": (
        "tables",
        *("dataset", "model", "condition", "layer", "measure", "n", "median", "low", "high", "quartile_1"),
        "quartile_3",
    ),
    "compression": (
        "tables",
        *("dataset", "base", "base_condition", "model", "condition", "layer", "base_median", "median"),
        *("compression", "low", "high", "p_holm"),
    ),
    "attention": ("tables", "dataset", "measure", "condition"),
    "divergence_ratios": (
        "tables",
        *("dataset", "model", "condition", "base", "layer", "n", "divergence", "base_divergence", "ratio", "low"),
        "high",
    ),
    "probe_variance": (
        "tables",
        *("dataset", "task", "model", "readout", "condition", "quantity", "refits", "estimate", "units_error"),
        *("training_error", "low", "high", "total_low", "total_high"),
    ),
}
RATES = ("quantity", "procedure", "data", "n", "sets", "expected", "rate", "standard_error", "low", "high", "within")
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
        settings: the resolved config.
        packs: data set → the facts of its pack.
        ablation, checks, measures, claims, published: rows of the CSV files.
        sections, points, sources, reproduced: rows of the audit's other tables.
        reasons: claim → why it has its verdict.
        statistics: table or test of `STATISTICS` → its rows.
        error_rates: the simulated rates, which are of the code and of no run.
        replacement: with its columns, whose number depends on the run.
        published_folder, published_counts: where the published numbers lie; file → rows.
    """

    run: Run
    settings: Mapping[str, Any]
    packs: Mapping[str, Mapping[str, Any]]
    ablation: tuple[Cells, ...]
    replacement: CsvTable
    checks: tuple[Cells, ...]
    measures: tuple[Cells, ...]
    claims: tuple[Cells, ...]
    sections: tuple[Cells, ...]
    points: tuple[Cells, ...]
    sources: tuple[Cells, ...]
    reproduced: tuple[Cells, ...]
    reasons: Mapping[str, Reasons]
    published: tuple[Cells, ...]
    published_folder: Path
    published_counts: Mapping[str, int]
    statistics: Mapping[str, tuple[Cells, ...]]
    error_rates: tuple[Cells, ...]

    @property
    def datasets(self) -> tuple[str, ...]:
        """Data sets as the config lists them."""
        return tuple(self.settings["datasets"])

    @property
    def models(self) -> Mapping[str, Mapping[str, Any]]:
        """Model → its settings."""
        models: Mapping[str, Mapping[str, Any]] = self.settings["models"]
        return models

    def downloads(self) -> dict[str, Path]:
        """Files that readers may download: place in the report → file of the run."""
        found = {
            f"{folder.name}/{file.name}": file
            for folder in (self.run.tables, self.run.tests, self.run.audit)
            for file in sorted((*folder.glob("[!.]*.csv"), *folder.glob("[!.]*.md"), *folder.glob("[!.]*.json")))
        }
        found |= {f"published/{name}": self.published_folder / name for name in PUBLISHED_FILES}
        for dataset in (*self.datasets, "audit"):
            for file in sorted((self.run.figures / dataset).glob("[!.]*.svg")):
                found[f"figures/{dataset}/{file.name}"] = file
        return found


def read_inputs(settings: Path, published: Path) -> Inputs:
    """Read a run and the published numbers.

    Args:
        settings: `settings.yaml` of the run; everything else lies beside it (`config.layout.Run`).
        published: folder of the published numbers.

    Raises:
        ReportError: a file, key or column is missing; the message says which, and what makes it.
    """
    run = Run(settings.parent)
    loaded = _read_yaml(settings, ("run", "title", "seed", "models", "datasets", "conditions", "analysis"))
    return Inputs(
        run=run,
        settings=loaded,
        packs={
            name: _read_yaml(run.pack(name).facts, ("images", "classes", "splits", "chance"))
            for name in loaded["datasets"]
        },
        ablation=read_csv(run.tables / "ablation.csv", ABLATION).rows,
        replacement=read_csv(run.tables / "replacement.csv", REPLACEMENT),
        checks=read_csv(run.tables / "known_answers.csv", CHECKS).rows,
        measures=read_csv(run.tables / "measures.csv", MEASURES).rows,
        claims=read_csv(run.audit / "claims.csv", CLAIMS).rows,
        sections=read_csv(run.audit / "summary.csv", SECTIONS).rows,
        points=read_csv(run.audit / "points.csv", POINTS).rows,
        sources=read_csv(run.audit / "sources.csv", SOURCES).rows,
        reasons=read_reasons(run.audit / "claims.json"),
        reproduced=read_csv(run.audit / "reproduced.csv", REPRODUCED).rows,
        published=read_csv(published / "tables.csv", PUBLISHED).rows,
        published_folder=published,
        published_counts={name: len(read_csv(published / name, ()).rows) for name in PUBLISHED_FILES},
        statistics={
            name: read_csv(run.folder / folder / f"{name}.csv", columns).rows
            for name, (folder, *columns) in STATISTICS.items()
        },
        error_rates=read_csv(ERROR_RATES, (*RATES, "seed", "code")).rows,
    )


def read_csv(path: Path, needed: Sequence[str]) -> CsvTable:
    """Read a CSV file as text; ReportError if it or a needed column is missing."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = tuple(reader)
            columns = tuple(reader.fieldnames or ())
    except FileNotFoundError as error:
        raise ReportError(f"{path} is missing. Run the workflow up to it: `snakemake {path}`.") from error
    missing = [name for name in needed if name not in columns]
    if missing:
        raise ReportError(
            f"{path}: missing column {', '.join(missing)}; found {', '.join(columns) or 'none'}. "
            "Was it written by an older version? Delete it and run the workflow again."
        )
    return CsvTable(columns, rows)


def _read_yaml(path: Path, needed: Sequence[str]) -> Mapping[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ReportError(f"{path} is missing. Run the workflow up to it: `snakemake {path}`.") from error
    if not isinstance(loaded, dict):
        raise ReportError(f"{path}: not a mapping of keys. Delete it and run the workflow again.")
    missing = [key for key in needed if key not in loaded]
    if missing:
        raise ReportError(f"{path}: missing key {', '.join(missing)}. Delete it and run the workflow again.")
    return loaded
