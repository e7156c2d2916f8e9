"""Tasks whose values are no fractions, or better where lower: what is a loss, and in which unit it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from analysis.engine.metric import Counts
from analysis.figures import conditions as condition_figures
from analysis.figures import statistics as statistics_figures
from analysis.outcomes.files import Outcomes
from analysis.statistics.known_answers import known_answer_checks
from analysis.statistics.study import Study, study
from config import consistency
from config.analysis import AnalysisSettings, Comparison, Margin
from config.conditions import Condition
from config.consistency import inconsistencies
from config.resolve import resolve
from config.vocabulary import tasks

UNITS = 30
NAMES = ("full", "both", "first", "second", "patches_1", "patches_2")
# The value that every condition adds to that of `full`; a score and an error have the same values.
ADDED = dict(zip(NAMES, (0.0, 9.0, 2.0, 4.0, 1.0, 3.0), strict=True))
ERROR = tasks.Task(
    name="error",
    metric="mean absolute error",
    definition="how far off",
    unit="images",
    features="patches",
    readouts=(tasks.MATCHED,),
    needs="training",
    on_records=False,
    higher_is_better=False,
    bounded=False,
    percent=False,
    value_unit="grey levels",
)
SCORE = replace(ERROR, name="score", higher_is_better=True)
IN_POINTS = replace(ERROR, name="share", percent=True, value_unit="", higher_is_better=True)


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "TASKS", {**tasks.TASKS, **{one.name: one for one in (ERROR, SCORE, IN_POINTS)}})


def settings(*names: str) -> AnalysisSettings:
    conditions = (
        Condition("full"),
        Condition("both", ("registers",), "zero"),
        Condition("first", ("r1",), "zero"),
        Condition("second", ("r2",), "zero"),
        *(Condition(f"patches_{draw}", ("random_patches",), "zero", draw=draw, of="patches") for draw in (1, 2)),
    )
    return AnalysisSettings(
        seed=1,
        datasets=MappingProxyType({"scenes": names}),
        models=("a_s", "b_s"),
        conditions=MappingProxyType({one.name: one for one in conditions}),
        draws=199,
        resamples=199,
        level=0.95,
        families=("dataset", "task", "readout"),
        alpha=0.05,
        margins=MappingProxyType({"default": Margin(0.02, "small"), "error": Margin(3.0, "not seen")}),
        comparisons=(Comparison("content", "Which?", "family", ("a", "b"), ("both",), ()),),
        compressions=(),
    )


def outcomes(task: str, scale: float = 1.0) -> Iterator[Outcomes]:
    for place, model in enumerate(("a_s", "b_s")):
        noise = np.random.default_rng(place).normal(0, 0.5, (len(NAMES), UNITS))
        yield Outcomes(
            **{"dataset": "scenes", "task": task, "model": model, "family": model[0], "scale": "S"},
            **{"readout": "matched", "features": "patches", "layer": 5, "refit": 0, "size": UNITS},
            units=tuple(f"{unit:02}" for unit in range(UNITS)),
            categories=("",),
            conditions=MappingProxyType(
                {
                    name: Counts(scale * (20 + ADDED[name] + noise[row])[:, None], np.ones((UNITS, 1)))
                    for row, name in enumerate(NAMES)
                }
            ),
        )


def studied(*names: str) -> Study:
    scales = {"share": 0.01}
    return study([one for name in names for one in outcomes(name, scales.get(name, 1.0))], [], settings(*names))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Figure]]:
    """The figures that are drawn, kept instead of written."""
    kept: list[Figure] = []
    for module in (condition_figures, statistics_figures):
        monkeypatch.setattr(module, "save", lambda figure, path: kept.append(figure))
    yield kept
    plt.close("all")


def test_values_and_changes_do_not_depend_on_the_direction_but_what_costs_least_does() -> None:
    tables = studied("error", "score")
    ablation = tables.tables["ablation"].set_index(["task", "model", "condition"])
    pd.testing.assert_frame_equal(ablation.loc["error"][["value", "delta"]], ablation.loc["score"][["value", "delta"]])
    assert ablation.loc[("error", "a_s", "both"), "delta"] == pytest.approx(9, abs=0.5)
    control = tables.tests["random_patches"].set_index(["task", "model"])
    for model in ("a_s", "b_s"):
        error, score = control.loc[("error", model)], control.loc[("score", model)]
        assert error["random_least"] == score["random_most"] < error["random_most"] == score["random_least"]
    curve = tables.tables["cumulative"].query("step == 1").set_index(["task", "model"])
    assert (curve.loc["error"]["least"] == curve.loc["score"]["most"]).all()
    assert (curve.loc["error"]["least"] < curve.loc["error"]["most"]).all()


def test_margins_are_on_the_scale_of_the_task() -> None:
    table = studied("error").tests["equivalence"].set_index(["model", "condition"])
    assert set(table["margin"]) == {3.0}
    assert table.loc[("a_s", "first"), "conclusion"] == "negligible"
    assert table.loc[("a_s", "both"), "conclusion"] == "different"


@pytest.mark.parametrize(("task", "loses"), [("error", True), ("score", False)])
def test_losses_are_red_in_either_direction(task: str, loses: bool, drawn: list[Figure]) -> None:
    tables = studied(task).tables
    condition_figures.delta_heatmap(tables["ablation"], settings(task), Path("unused.svg"))
    (figure,) = drawn
    panel, bar = figure.axes
    assert panel.get_title().startswith(f"{task} (mean absolute error, grey levels")
    assert ("lower is better" in panel.get_title()) is loses
    printed = [text.get_text() for text in panel.texts]
    assert all(text.startswith("+") for text in printed) and float(printed[0]) == pytest.approx(9, abs=0.5)
    figure.canvas.draw()
    red, _, blue = to_rgb(tuple(panel.collections[0].get_facecolors()[0]))
    assert (red > blue) is loses
    assert [label.get_text() for label in bar.get_xticklabels()] == ["loss", "0", "gain"]
    assert "percentage points" not in bar.get_xlabel()


def test_panels_in_points_keep_their_scale_beside_others(drawn: list[Figure]) -> None:
    tables = studied("share", "error").tables
    condition_figures.delta_heatmap(tables["ablation"], settings("share", "error"), Path("unused.svg"))
    share, error, bar = drawn[0].axes
    assert share.get_title() == "share (mean absolute error)"
    assert share.texts[0].get_text().startswith("+9.") and share.collections[0].get_clim()[1] < 10
    assert bar.get_xlabel().startswith("change against full, percentage points\nother panels")
    assert error.collections[0].get_array().min() < 0 < share.collections[0].get_array().max()


def test_comparisons_and_curves_have_an_axis_for_every_unit(drawn: list[Figure]) -> None:
    found = studied("share", "error")
    statistics_figures.null_figure(found.tests["comparisons"], found.tests["nulls"], Path("unused.svg"))
    statistics_figures.cumulative_figure(found.tables["cumulative"], Path("unused.svg"))
    nulls, curves = drawn
    assert [panel.get_xlabel() for panel in nulls.axes] == [
        "difference of changes, percentage points",
        "difference of changes, grey levels",
    ]
    share, error = curves.axes[:2]
    assert (share.get_title(), error.get_title()) == ("share", "error\ngrey levels\nlower is better")
    assert share.lines[1].get_ydata()[-1] == pytest.approx(error.lines[1].get_ydata()[-1])
    assert not share.get_shared_y_axes().joined(share, error)
    assert share.get_shared_y_axes().joined(share, curves.axes[2]) is False


def test_what_may_not_change_is_held_on_the_scale_of_its_value() -> None:
    rows = studied("error").ablation
    constant = {"still": Condition("still", ("registers",), "mean")}
    known = replace(
        settings("error"),
        conditions=MappingProxyType({**settings("error").conditions, **constant}),
        known_answers={"a_s": "sink"},
    )
    full = next(row for row in rows if row.condition == "both" and row.model == "a_s")
    changes = pd.DataFrame({"model": [], "dataset": [], "condition": [], "max_abs_change": []})

    def passed(delta: float) -> list[bool]:
        row = replace(full, condition="still", value=20 + delta, delta=delta)
        return [one.passed for one in known_answer_checks([row], changes, {}, known) if "error" in one.check]

    # 0.005 of 20 grey levels.
    assert passed(0.09) == passed(-0.09) == [True] and passed(0.11) == [False]


def test_a_task_that_is_no_fraction_needs_a_margin_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consistency, "TASKS", tasks.TASKS)
    raw = {
        "run": "x",
        "models": {"m": {"source": "known_answer", "family": "open", "scale": "S"}},
        "datasets": {"d": {"source": "scenes", "image_size": 64, "tasks": ["classification"]}},
        "conditions": {"full": {}},
    }
    config = resolve(raw)
    config["datasets"]["d"]["tasks"] = ["error"]
    assert [said for said in inconsistencies(config) if "margins" in said] == [
        "analysis.margins: missing error; the default margin is a fraction, and its values are in grey levels"
    ]
    config["analysis"]["margins"] = {**config["analysis"]["margins"], "error": {"margin": 3.0, "reason": "not seen"}}
    assert not [said for said in inconsistencies(config) if "margins" in said]
    config["analysis"]["margins"]["classification"] = {"margin": 3.0, "reason": "too large"}
    assert [said for said in inconsistencies(config) if "margins" in said] == [
        "analysis.margins.classification.margin: 3.0 is no fraction; allowed: above 0 and below 1"
    ]
