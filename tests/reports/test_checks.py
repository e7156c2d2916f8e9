"""What the report says of known answers, checked or not."""

from __future__ import annotations

from types import SimpleNamespace

from config.settings import Model
from reports.checks import state_of_checks

MODELS = {
    name: Model(name, "known_answer", family, "S")
    for name, family in {"one": "plain", "two": "open", "three": "bottleneck", "four": "sink"}.items()
}


def check(model: str, passed: bool) -> dict[str, str]:
    return {"model": model, "passed": str(passed).lower()}


def state(*checks: dict[str, str], models: dict[str, Model] = MODELS) -> str:
    return state_of_checks(SimpleNamespace(models=models, checks=checks)).striptags()  # type: ignore[arg-type]


def test_known_answers_without_a_check_are_named_loudly() -> None:
    nothing = state()
    assert "Nothing was checked" in nothing
    assert "Known answers that were not checked: three, four." in nothing
    partly = state(check("three", passed=True))
    assert "The one check passed" in partly
    assert "Known answers that were not checked: four." in partly


def test_models_whose_construction_fixes_no_answer_need_no_check() -> None:
    assert "not checked" not in state(check("three", passed=True), check("four", passed=True))
    assert "not checked" not in state(models={"one": MODELS["one"], "two": MODELS["two"]})


def test_failed_checks_are_counted_with_their_models() -> None:
    assert "1 of 2 checks failed (four)." in state(check("three", passed=True), check("four", passed=False))
