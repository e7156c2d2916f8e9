"""Hold the known-answer models against the answers that their construction fixes.

A failing check is a finding: it is reported in its row, and never raised.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from analysis.engine.intervals import wilson_interval
from analysis.rows.ablation import AblationRow, Check
from analysis.rows.chance import CHECKED_AGAINST_CHANCE, Chance
from config.analysis import AnalysisSettings
from config.conditions import Condition
from config.errors import InputError
from config.vocabulary.known_answers import CHANCE, KNOWN_ANSWERS, UNCHANGED
from config.vocabulary.tasks import FROZEN, label_of, task_of

# Probability that chance alone fails any of a run's checks against chance.
FALSE_ALARM = 0.05

# docs/design.md asks for records that do not change beyond float32 rounding through six blocks.
LARGEST_RECORD_CHANGE = 1e-4
# A record that moved by rounding can still flip a unit whose two best answers are tied: half a
# percentage point of the units may.
LARGEST_DELTA = 0.005  # of a task whose values are no fractions: times its value under full


def read_record_changes(path: Path) -> pd.DataFrame:
    """Read the largest change of each record against `full`: model, dataset, condition, …, max_abs_change.

    Raises:
        InputError: naming the file and the column if one is missing.
    """
    changes = pd.read_csv(path)
    missing = {"model", "dataset", "condition", "max_abs_change"} - set(changes.columns)
    if missing:
        raise InputError(f"{path}: missing column {', '.join(sorted(missing))}. Delete the file and run again.")
    return changes


def content_free(condition: Condition) -> bool:
    """Whether a condition leaves no register any content of the image: every register is replaced."""
    replacement = condition.replacement
    return condition.group == "registers" and replacement is not None and replacement.content_free


def keeps_constant(condition: Condition) -> bool:
    """Whether a condition on all registers changes nothing where they hold the same for every image."""
    replacement = condition.replacement
    return condition.group == "registers" and replacement is not None and replacement.keeps_constant


def known_answer_checks(
    rows: Sequence[AblationRow],
    record_changes: pd.DataFrame,
    chance: Mapping[str, Chance],
    settings: AnalysisSettings,
) -> list[Check]:
    """Check every known-answer model whose family has an answer, in the order of the rows.

    bottleneck: CLS sees the image only through register content, so replacing that content by
        anything that does not depend on the image must leave a classification accuracy whose
        interval overlaps chance. Wilson's interval, at a level that lets chance fail one of all
        the run's checks in 20 runs (Bonferroni).
    sink: register content is the same for every image, so a replacement that keeps constant rows
        (mean, shuffle, one donor's whole trajectory) must leave every record within 1e-4 and
        every task's delta within 0.005, or within that share of its value where values are no fractions. A data set
        that is not recorded at all has deltas alone.
    plain and open: the construction fixes no answer; no check.

    Which conditions these are is read from their tokens and replacement, and which models from the config's `source`,
    never from a name. Frozen readouts are left out: under them a probe meets features that it was never trained on,
    about which the construction says nothing.

    Args:
        rows: the rows of the ablation table.
        record_changes: model × dataset × condition × token × layer, column max_abs_change.
        chance: dataset → chance level of its classification, where it is classified.
        settings: of the run.

    Warns:
        UserWarning: a model has a known answer, and no condition of the run can check it.
    """
    of_model: dict[tuple[str, str], list[AblationRow]] = {}
    for row in rows:
        if row.readout != FROZEN:
            of_model.setdefault((row.dataset, row.model), []).append(row)
    level = 1 - FALSE_ALARM / max(1, sum(_falls_to_chance(row, settings) for row in rows))
    checks: list[Check] = []
    for (dataset, model), reported in of_model.items():
        answer = _answer(model, settings)
        if answer == CHANCE and dataset in chance:
            checks.extend(_against_chance(reported, chance[dataset], level, settings))
        if answer == UNCHANGED:
            of_dataset = record_changes[record_changes["dataset"] == dataset]
            of_this = None if of_dataset.empty else of_dataset[of_dataset["model"] == model]
            checks.extend(_unchanged(reported, of_this, settings))
    for model in unchecked_models(settings, {check.model for check in checks}):
        warnings.warn(
            f"model '{model}' has a known answer, but no condition of this run can check it: replace [registers] "
            "and classify a data set, so that the report can say whether the instrument works.",
            stacklevel=2,
        )
    return checks


def unchecked_models(settings: AnalysisSettings, checked: set[str]) -> list[str]:
    """Return the models that have a known answer and no check."""
    return [model for model in settings.models if _answer(model, settings) and model not in checked]


def _answer(model: str, settings: AnalysisSettings) -> str:
    family = settings.known_answers.get(model)
    return KNOWN_ANSWERS[family].check if family is not None else ""


def _falls_to_chance(row: AblationRow, settings: AnalysisSettings) -> bool:
    return (
        row.readout != FROZEN
        and row.task == CHECKED_AGAINST_CHANCE
        and _answer(row.model, settings) == CHANCE
        and content_free(settings.conditions[row.condition])
    )


def _against_chance(
    rows: Sequence[AblationRow], chance: Chance, level: float, settings: AnalysisSettings
) -> Iterator[Check]:
    for row in rows:
        if _falls_to_chance(row, settings):
            interval = wilson_interval(round(row.value * row.n), row.n, level)
            yield Check(
                dataset=row.dataset,
                model=row.model,
                family=row.family,
                check="classification falls to chance",
                condition=row.condition,
                quantity="classification accuracy",
                expected=f"{100 * level:.3g} % interval overlaps chance, {chance}",
                observed=row.value,
                low=interval.low,
                high=interval.high,
                passed=interval.low <= chance.high and interval.high >= chance.low,
            )


def _unchanged(
    rows: Sequence[AblationRow], record_changes: pd.DataFrame | None, settings: AnalysisSettings
) -> Iterator[Check]:
    for condition in (name for name, one in settings.conditions.items() if keeps_constant(one)):
        under = [row for row in rows if row.condition == condition]
        if not under:
            continue
        if record_changes is not None:
            yield _unchanged_records(under[0], record_changes)
        for row in under:
            limit = _largest_delta(row)
            yield Check(
                dataset=row.dataset,
                model=row.model,
                family=row.family,
                check=f"{label_of(row.task)} does not change",
                condition=condition,
                quantity=f"{label_of(row.task)} {row.metric}, delta to full",
                expected=f"0, within {limit:g}",
                observed=row.delta,
                low=row.delta_low,
                high=row.delta_high,
                passed=row.delta is not None and abs(row.delta) <= limit,
            )


def _unchanged_records(row: AblationRow, record_changes: pd.DataFrame) -> Check:
    # A NaN anywhere must not vanish from the maximum: it fails the check, as do records that are missing.
    changed = record_changes.loc[record_changes["condition"] == row.condition, "max_abs_change"]
    largest = None if changed.empty else float(changed.max(skipna=False))
    return Check(
        dataset=row.dataset,
        model=row.model,
        family=row.family,
        check="records do not change",
        condition=row.condition,
        quantity="largest absolute change of any record",
        expected=f"at most {LARGEST_RECORD_CHANGE:g}",
        observed=largest,
        low=None,
        high=None,
        passed=largest is not None and largest <= LARGEST_RECORD_CHANGE,
    )


def _largest_delta(row: AblationRow) -> float:
    if task_of(row.task).bounded or row.delta is None:
        return LARGEST_DELTA
    return LARGEST_DELTA * abs(row.value - row.delta)
