"""What jobs of the analysis read, for them and for their rules; imports nothing heavy."""

from __future__ import annotations

from config.settings import Comparison, Settings


def compared_models(settings: Settings, comparison: Comparison) -> list[str]:
    """Return the models of the families or scales that a comparison compares, in display order."""
    return [name for name, model in settings.models.items() if getattr(model, comparison.along) in comparison.pair]


def compared_tasks(settings: Settings, comparison: Comparison) -> list[str]:
    """Return the tasks of the run that a comparison is made in, as they are reported."""
    return [task for task in settings.for_analysis.tasks if not comparison.tasks or task in comparison.tasks]
