"""Evaluate every claim of a folder and write the verdicts.

    python -m analysis.audit analysis/published --out results/demo/audit

writes

- `claims.csv`: one row per claim,
- `claims.json`: every reading of every claim, with its reason sentence by sentence,
- `summary.csv`: claims by section and severity,
- `summary.md`: counts, and all findings of severity number or above with their arithmetic,
- `points.csv`: the published values behind these findings,
- `mutations.csv`, `power.csv`: what the audit notices when a printed number changes,
- `sources.csv`: numbers for the same quantity compared, where the folder has a `quantities.yaml`.

All are functions of the folder alone: the same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from analysis.audit.claims import load_claims
from analysis.audit.kinds import Verdict
from analysis.audit.mutations import Audited, mutate, power_rows, write_power
from analysis.audit.published import load_published
from analysis.audit.quantities import load_vocabulary
from analysis.audit.sources import sweep
from analysis.audit.summary import summary_markdown
from analysis.audit.tables import claim_rows, claims_data, point_rows, section_rows
from analysis.audit.usage import usage
from analysis.audit.verdicts import Judged, judge
from analysis.rows.audit import ClaimRow, PointRow, SectionRow, SourceRow
from analysis.rows.schema import names_of
from config.files import write_csv, write_whole
from config.layout import AUDITS


def write_audit(folder: Path, out: Path) -> tuple[Judged, ...]:
    """Audit a folder and write every file; nothing is written unless all claims can be judged.

    Args:
        folder: with `claims.yaml`, the published numbers, and `quantities.yaml` if any.
        out: folder for the files.

    Returns:
        Every claim with its findings, in file order.

    Raises:
        InputError: for a missing or faulty file.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as out:
        ...     judged = write_audit(Path("docs/examples/invented_article"), Path(out))
        ...     sorted(path.name for path in Path(out).iterdir())
        ['claims.csv', 'claims.json', 'mutations.csv', 'points.csv', 'power.csv', 'sources.csv', 'summary.csv', \
'summary.md']
        >>> sum(item.fails for item in judged), len(judged)
        (13, 53)
    """
    numbers, vocabulary = load_published(folder), load_vocabulary(folder)
    judged = tuple(judge(claim, numbers) for claim in load_claims(folder))
    pairs = sweep(numbers, vocabulary) if vocabulary is not None else None
    used = usage(numbers, (item.claim for item in judged), pairs or ())
    mutations = mutate(Audited(numbers, vocabulary, judged, pairs or ()))
    write_csv(out / "claims.csv", names_of(ClaimRow), claim_rows(judged))
    write_whole(out / "claims.json", _json(claims_data(judged)))
    write_csv(out / "summary.csv", names_of(SectionRow), section_rows(judged))
    write_whole(
        out / "summary.md",
        summary_markdown(judged, pairs, tuple(power_rows(mutations)), used, folder.resolve().name).encode(),
    )
    write_power(mutations, out)
    write_csv(out / "points.csv", names_of(PointRow), point_rows(judged, numbers, vocabulary))
    if pairs is not None:
        write_csv(out / "sources.csv", names_of(SourceRow), (pair.row() for pair in pairs))
    return judged


def _json(claims: Sequence[object]) -> bytes:
    # A claim per line: diffs show which claim changed.
    lines = ",\n".join(json.dumps(claim, ensure_ascii=False) for claim in claims)
    return f"[\n{lines}\n]\n".encode()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        InputError: for a missing or faulty file.
    """
    parser = argparse.ArgumentParser(
        prog="python -m analysis.audit",
        description="Check published claims against published numbers; one verdict per claim.",
    )
    parser.add_argument(
        "folder",
        type=Path,
        help="folder with claims.yaml, tables.csv, figures.csv, interactive.csv, and quantities.yaml if any",
    )
    parser.add_argument(
        "--out", type=Path, help=f"folder for claims.csv, summary.md and the other files (default: {AUDITS}/FOLDER)"
    )
    options = parser.parse_args(arguments)
    out: Path = options.out or AUDITS / options.folder.resolve().name
    judged = write_audit(options.folder, out)
    counts = Counter(item.verdict for item in judged)
    parts = [f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict]]
    print(f"{len(judged)} claims: {', '.join(parts)}. Written to {out / 'claims.csv'}")
