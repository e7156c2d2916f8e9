"""What stands under a table: the definition of every number in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from reports.inputs import Cells
from reports.numbers import count, fixed, is_missing, p_value
from reports.outcomes import Section, task_title
from reports.table import Text, escaped

_METRICS = {
    "accuracy": "share of images whose class a linear probe names, read from CLS",
    "Recall@1": "share of images whose own warped twin is, of all twins, the nearest by the cosine of CLS; a tie "
    "is a miss",
    "hits/points": "share of patches whose nearest neighbour in the warped image is the true one",
    "cycles/points": "share of patches whose nearest neighbour in the warped image has them as its own nearest "
    "neighbour",
    "PCK, mean over images": "share of an image pair’s key points found within 0.1 of the object’s larger side, "
    "averaged over pairs",
    "mIoU": "intersection over union summed over images, then averaged over classes; a linear probe "
    "reads the patch tokens",
}
_UNITS = dict.fromkeys(("correspondence", "cycle_consistency", "pck_per_image"), "image pairs")
_READOUTS = {
    "matched": "the probe is trained under the same condition",
    "frozen": "the probe is trained on full and applied to the ablated features",
    "direct": "no probe is trained",
}
_METHODS = {
    "bca": "BCa bootstrap",
    "percentile": "percentile bootstrap where BCa is undefined",
    "wilson": "Wilson for plain proportions",
    "constant": "of zero width where every resample gives the estimate",
}


def definition_list(entries: Iterable[tuple[Text, Text]], label: str) -> str:
    """Terms and their definitions as HTML."""
    lines = "\n".join(f"<div><dt>{escaped(t)}</dt><dd>{escaped(d)}</dd></div>" for t, d in entries)
    return f'<dl class="definitions" aria-label="{escaped(label)}">\n{lines}\n</dl>'


def level_in_percent(level: str) -> str:
    """`0.95` as `95`."""
    return f"{100 * float(level):g}"


def span_of(values: Iterable[str]) -> str:
    """Whole numbers as one, or as a range where they differ."""
    found = sorted({int(float(value)) for value in values if not is_missing(value)})
    if not found:
        return "none"
    return count(found[0]) if len(found) == 1 else f"{count(found[0])} to {count(found[-1])}"


def families_in_words(settings: Mapping[str, object]) -> str:
    """The columns that a family of tests shares."""
    analysis = settings["analysis"]
    assert isinstance(analysis, Mapping)
    return " × ".join(analysis["families"])


def ablation_definitions(section: Section, settings: Mapping[str, object]) -> str:
    """Metric, n, interval, seed and test of a section of the ablation table."""
    rows = section.rows
    first = rows[0]
    metric = first["metric"]
    tested = [row for row in rows if not is_missing(row["p"])]
    readouts = dict.fromkeys(row["readout"] for row in rows)
    entries: list[tuple[Text, Text]] = [
        ("Value", f"{metric}: {_METRICS.get(metric, 'ratio of summed counts')}; percent"),
        ("n", _units(section.task, rows)),
        ("Readout", "; ".join(f"{name}: {_READOUTS.get(name, name)}" for name in readouts)),
        ("Δ", "value minus the value under full, on the same units; percentage points"),
        (
            "Interval",
            f"{level_in_percent(first['level'])} %, {_methods(rows)}; "
            f"{span_of(row['resamples'] for row in rows)} resamples of units, pairing kept",
        ),
    ]
    if tested:
        entries += [
            (
                "p",
                "paired permutation test, two-sided: labels of the two conditions swapped within a unit, "
                f"{span_of(row['draws'] for row in tested)} draws; "
                f"smallest possible {_smallest(tested)}, Monte-Carlo error at most {_largest_error(tested)}",
            ),
            (
                "p, max-T and Holm",
                f"adjusted within each {families_in_words(settings)}; max-T by joint draws, Holm by no assumption",
            ),
        ]
    if any(not is_missing(row["p_exact"]) for row in tested):
        entries.append(("p, exact", "McNemar, where every unit is one success or failure"))
    entries.append(("Seed", f"{first['seed']}"))
    return definition_list(entries, f"Definitions for {section.task} on {section.dataset}")


def _units(task: str, rows: Sequence[Cells]) -> str:
    found = f"{span_of(row['n'] for row in rows)} {_UNITS.get(task, 'images')}"
    if all(row["n"] == row["clusters"] for row in rows):
        return found
    return f"{found}, exchanged and resampled in {span_of(row['clusters'] for row in rows)} clusters"


def replacement_definitions(rows: Sequence[Cells]) -> str:
    """Metric and n of each task of the run's replacement table."""
    entries: list[tuple[Text, Text]] = []
    for dataset, task in dict.fromkeys((row["dataset"], row["task"]) for row in rows):
        of_task = [row for row in rows if (row["dataset"], row["task"]) == (dataset, task)]
        metric = of_task[0]["metric"]
        entries.append(
            (
                f"{task_title(task)}, {dataset}",
                f"{metric}: {_METRICS.get(metric, 'ratio of summed counts')}; "
                f"n = {span_of(row['n'] for row in of_task)} {_UNITS.get(task, 'images')}, "
                f"seed {of_task[0]['seed']}",
            )
        )
    entries.append(
        ("Readout", "matched where a probe is trained; intervals and tests are in the ablation tables below")
    )
    return definition_list(entries, "Definitions for the replacement tables")


def _methods(rows: Sequence[Cells]) -> str:
    # The columns that name the method are newer than the table; without them no method is claimed.
    used = dict.fromkeys(
        row[name] for row in rows for name in ("value_interval", "delta_interval") if not is_missing(row.get(name, ""))
    )
    return "; ".join(_METHODS.get(name, name) for name in used) or "bootstrap"


def _smallest(rows: Sequence[Cells]) -> str:
    found = [row["p_smallest"] for row in rows if not is_missing(row["p_smallest"])]
    return p_value(min(found, key=float)) if found else "not stated"


def _largest_error(rows: Sequence[Cells]) -> str:
    found = [float(row["p_mc_error"]) for row in rows if not is_missing(row["p_mc_error"])]
    return fixed(max(found), 4) if found else "not stated"
