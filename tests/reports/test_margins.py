"""What the report says of margins that nobody stated."""

from types import MappingProxyType, SimpleNamespace
from typing import Any

from config.analysis import AnalysisSettings, analysis_of
from config.resolve import resolve_analysis
from reports.equivalence import unstated_note


def inputs(**margins: Any) -> Any:
    stated = resolve_analysis({"analysis": {"margins": margins}})
    settings = AnalysisSettings.of(
        analysis_of(stated["analysis"]),
        seed=0,
        datasets=MappingProxyType({"scenes": ("classification", "cycle_consistency")}),
        models=(),
        conditions={},
    )
    return SimpleNamespace(settings=SimpleNamespace(for_analysis=settings))


def test_tasks_without_a_stated_margin_are_named_above_the_tables() -> None:
    (note,) = unstated_note(inputs())
    assert "No margin was stated for classification, cycle consistency. The default of this project" in note
    (note,) = unstated_note(inputs(classification={"margin": 0.02, "reason": "not seen"}))
    assert "stated for cycle consistency." in note


def test_nothing_is_said_of_stated_margins() -> None:
    assert unstated_note(inputs(default={"margin": 0.02, "reason": "not seen"})) == []
