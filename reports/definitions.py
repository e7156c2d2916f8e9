"""Definitions of the numbers in a table, printed under it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from config.settings import Settings
from config.vocabulary.tasks import READOUTS, task_of
from reports.inputs import Cells
from reports.markup import definition_list
from reports.numbers import count, fixed, is_missing, p_value, scale_of_changes, scale_of_values, size_of
from reports.outcomes import Section, task_title, tests_labels

_METHODS = {
    "score": "Tango’s score interval for paired successes and failures",
    "wilson": "Wilson for plain proportions",
    "cluster t": "cluster-robust t, units permuted and left out with their clusters",
    "sparse": "t corrected for skewness, and widened by what so few changes would not have shown",
    "jackknife t": "jackknife t for a mean over classes",
    "skewness-corrected t": "t corrected for skewness",
    "order statistics": "order statistics",
    "log ratio t": "t interval of the logarithm",
    "log ratio, skewness-corrected t": "t interval of the logarithm, corrected for skewness",
    "none": "none where fewer than two units decide the value",
}
# Ends the name of a method that holds the variance of training too.
_AND_REFITS = " and refits"


def level_in_percent(level: str) -> str:
    """Return a fraction as percent without trailing zeros: `0.95` gives `95`."""
    return f"{100 * float(level):g}"


def span_of(values: Iterable[str]) -> str:
    """Return whole numbers as a range, or as one number if they are all equal."""
    found = sorted({int(float(value)) for value in values if not is_missing(value)})
    if not found:
        return "none"
    return count(found[0]) if len(found) == 1 else f"{count(found[0])} to {count(found[-1])}"


def families_in_words(settings: Settings) -> str:
    """Return the columns that define a family of tests."""
    return " × ".join(settings.analysis.families)


def ablation_definitions(section: Section, settings: Settings) -> Markup:
    """Return metric, n, interval, seed and test of a section of the ablation table."""
    rows = section.rows
    first, task = rows[0], task_of(section.task)
    sign = "" if task.higher_is_better else "; a positive change is a loss"
    tested = [row for row in rows if not is_missing(row["p"])]
    readouts = dict.fromkeys(row["readout"] for row in rows)
    entries = [
        ("Value", f"{first['metric']}: {task.definition}; {scale_of_values(section.task)}"),
        ("n", _units(section.task, rows)),
        ("Readout", "; ".join(f"{name}: {READOUTS.get(name, name)}" for name in readouts)),
        ("Δ", f"value minus the value under full on the same units, {scale_of_changes([section.task])}{sign}"),
        (
            "Interval",
            f"{level_in_percent(first['level'])} %, each by itself, preserving the pairing of conditions; "
            f"{_methods(rows)}. Intervals that hold for a whole family at once are in the file",
        ),
    ]
    if tested:
        entries += [
            (
                "p",
                "two-sided paired permutation test that the metric is the same under both conditions, "
                f"{span_of(row['draws'] for row in tested)} draws; "
                f"smallest attainable p {_smallest(tested)}, Monte Carlo error at most {_largest_error(tested)}",
            ),
            *(
                [
                    (
                        "p, any class",
                        "the condition labels are permuted within units: a test that nothing changed in any class, "
                        "which classes that move in opposite directions reject while their mean stays the same",
                    )
                ]
                if tests_labels(tested)
                else []
            ),
            (
                "p, max-T and Holm",
                f"adjusted within each {families_in_words(settings)}; max-T uses the joint null "
                "distribution, Holm assumes nothing about dependence. A family without the model in its name grows "
                "with every model of the run, and adjusted p-values with it",
            ),
        ]
        found = [row["detectable"] for row in tested if not is_missing(row["detectable"])]
        if found:
            entries.append(
                (
                    "Detectable",
                    "the test by itself finds true changes of "
                    f"{size_of(min(found, key=float), section.task, 2)} to "
                    f"{size_of(max(found, key=float), section.task, 2)} with power 0.8; each row’s is in the file",
                )
            )
    if any(not is_missing(row["p_exact"]) for row in tested):
        entries.append(("p, exact", "McNemar’s exact test, where each unit is a single success or failure"))
    entries += [("Note", warning) for warning in dict.fromkeys(row["warning"] for row in rows) if warning]
    entries.append(("Seed", first["seed"]))
    return definition_list(entries, f"Definitions for {section.task} on {section.dataset}")


def _units(task: str, rows: Sequence[Cells]) -> str:
    found = f"{span_of(row['n'] for row in rows)} {task_of(task).unit}"
    if all(row["n"] == row["clusters"] for row in rows):
        return found
    return f"{found}, permuted as {span_of(row['clusters'] for row in rows)} clusters"


def replacement_definitions(rows: Sequence[Cells]) -> Markup:
    """Return metric and n of each task of the run's replacement table."""
    entries = []
    for dataset, task in dict.fromkeys((row["dataset"], row["task"]) for row in rows):
        of_task = [row for row in rows if (row["dataset"], row["task"]) == (dataset, task)]
        entries.append(
            (
                f"{task_title(task)}, {dataset}",
                f"{of_task[0]['metric']}: {task_of(task).definition}; "
                f"n = {span_of(row['n'] for row in of_task)} {task_of(task).unit}, "
                f"seed {of_task[0]['seed']}",
            )
        )
    entries.append(("Readout", "matched where a probe is trained; the ablation tables below give intervals and tests"))
    return definition_list(entries, "Definitions for the replacement tables")


def _methods(rows: Sequence[Cells]) -> str:
    used = dict.fromkeys(
        row[name] for row in rows for name in ("value_interval", "delta_interval") if not is_missing(row[name])
    )
    words = [_METHODS[name.removesuffix(_AND_REFITS)] for name in used]
    if any(name.endswith(_AND_REFITS) for name in used):
        words.append("widened by what training the probe again adds, where it was")
    return "; ".join(dict.fromkeys(words))


def _smallest(rows: Sequence[Cells]) -> str:
    found = [row["p_smallest"] for row in rows if not is_missing(row["p_smallest"])]
    return p_value(min(found, key=float)) if found else "not stated"


def _largest_error(rows: Sequence[Cells]) -> str:
    found = [float(row["p_mc_error"]) for row in rows if not is_missing(row["p_mc_error"])]
    return fixed(max(found), 4) if found else "not stated"
