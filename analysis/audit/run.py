"""Evaluate every claim of a folder and write the verdicts.

    python -m analysis.audit analysis/published --out results/demo/audit

writes

- `claims.csv`: one row per claim,
- `summary.csv`: claims by section and severity,
- `summary.md`: counts, and all findings of severity number or above with their arithmetic,
- `points.csv`: the published values that these findings rest on,
- `sources.csv`: numbers for the same quantity compared, where the folder has a `quantities.yaml`.

All are functions of the folder alone: the same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from analysis.audit.claims import load_claims
from analysis.audit.errors import AuditInputError
from analysis.audit.kinds import Verdict
from analysis.audit.published import load_published
from analysis.audit.quantities import load_vocabulary
from analysis.audit.sources import sweep
from analysis.audit.summary import claims_csv, points_csv, sections_csv, sources_csv, summary_markdown
from analysis.audit.verdicts import Judged, judge
from config.files import write_whole
from config.layout import AUDITS

CLAIMS_FILE = "claims.csv"


def written(folder: Path) -> tuple[tuple[Judged, ...], dict[str, str]]:
    """Every claim of `folder`, judged, and the text of every file, by name.

    Raises AuditInputError for faulty input.
    """
    numbers, vocabulary = load_published(folder), load_vocabulary(folder)
    judged = tuple(judge(claim, numbers) for claim in load_claims(folder))
    pairs = sweep(numbers, vocabulary) if vocabulary is not None else None
    files = {
        "summary.csv": sections_csv(judged),
        "summary.md": summary_markdown(judged, pairs, folder.resolve().name),
        "points.csv": points_csv(judged, numbers, vocabulary),
    }
    if pairs is not None:
        files["sources.csv"] = sources_csv(pairs)
    return judged, {**files, CLAIMS_FILE: claims_csv(judged)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns 0, or 2 with a message on stderr for faulty input."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.audit",
        description="Hold published claims against published numbers; one verdict per claim.",
    )
    parser.add_argument(
        "folder",
        type=Path,
        help="folder with claims.yaml, tables.csv, figures.csv, interactive.csv, and quantities.yaml if any",
    )
    parser.add_argument(
        "--out", type=Path, help=f"folder for claims.csv, summary.md and the other tables (default: {AUDITS}/FOLDER)"
    )
    options = parser.parse_args(arguments)
    out: Path = options.out or AUDITS / options.folder.resolve().name
    try:
        judged, files = written(options.folder)
    except AuditInputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, text in files.items():
        write_whole(out / name, text.encode())
    counts = Counter(item.finding.verdict for item in judged)
    parts = [f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict]]
    print(f"{len(judged)} claims: {', '.join(parts)}. Written to {out / CLAIMS_FILE}")
    return 0
