"""The outcomes of a run, as its settings name them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from analysis.outcomes.files import Outcomes, read_outcomes
from analysis.outcomes.schema import OutcomeError
from config.analysis import AnalysisSettings
from config.layout import Run


def gather_outcomes(
    run: Run,
    settings: AnalysisSettings,
    task: str,
    models: Iterable[str],
    only: Mapping[str, Collection[object]] | None = None,
) -> list[Outcomes]:
    """Read the outcomes of a task, of every data set, for the models that have any.

    Args:
        run: where the files are.
        settings: of the run.
        task: as reported.
        models: in display order.
        only: column → the values that are taken (`read_outcomes`).

    Raises:
        OutcomeError: a broken file, one that holds something else than its name says or that the settings do not
            name, or no file at all.
    """
    paths = {model: run.outcomes(task, model) for model in models}
    found = []
    for model, path in paths.items():
        for one in read_outcomes(path, only) if path.exists() else ():
            _check_named(one, path, task, model, settings)
            found.append(one)
    if not found and not any(path.exists() for path in paths.values()):
        raise OutcomeError(
            f"task '{task}': no outcome file of models {', '.join(paths)}. Run the workflow up to one of them: "
            f"`snakemake {next(iter(paths.values()), run.folder)}`."
        )
    return found


def _check_named(one: Outcomes, path: Path, task: str, model: str, settings: AnalysisSettings) -> None:
    allowed: dict[str, tuple[Sequence[str], Sequence[str]]] = {
        "task": ([one.task], [task]),
        "model": ([one.model], [model]),
        "dataset": (
            [one.dataset],
            [name for name, tasks in settings.datasets.items() if task in tasks],
        ),
        "condition": (list(one.conditions), list(settings.conditions)),
    }
    for column, (found, names) in allowed.items():
        strange = [name for name in found if name not in names]
        if strange:
            raise OutcomeError(
                f"{path}: column '{column}': {', '.join(map(repr, strange))} is not what the file "
                f"name and the settings lead to expect: {', '.join(map(repr, names))}. Delete the "
                f"file and evaluate again, or name the {column} in the config."
            )
