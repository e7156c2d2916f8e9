"""What an analysis states, what it leaves to defaults, and what it states in vain."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.analysis import UNSTATED, Analysis, analysis_of
from config.layout import ROOT
from config.ranges import FRACTIONS, UNBOUNDED, Range
from config.resolve import ConfigError, require_matched, resolve, resolve_analysis, unmatched
from config.settings import load_settings, save_resolved, settings
from config.unmatched import Present

DEMO = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())
SHIPPED = [ROOT / "config" / f"{name}.yaml" for name in ("demo", "paper", "photos")]
PRESENT = Present(
    whose="the outcomes",
    tasks=["depth", "normals"],
    models={"a_s": ("a", "S"), "a_b": ("a", "B"), "b_s": ("b", "S"), "c_l": ("c", "L")},
    conditions=["full", "blurred"],
)
MARGIN = {"margin": 0.02, "reason": "not seen"}


def analysis(**stated: Any) -> Analysis:
    return analysis_of(resolve_analysis({"analysis": stated})["analysis"])


def comparison(**changes: Any) -> dict[str, Any]:
    return {"comparisons": {"x": {"question": "?", "families": ["a", "b"], "conditions": ["blurred"]} | changes}}


def demo_with(**changes: Any) -> dict[str, Any]:
    config = copy.deepcopy(DEMO)
    config["analysis"] |= changes
    return config


def test_a_margin_that_nobody_stated_says_so() -> None:
    found = analysis(margins={"depth": MARGIN})
    assert found.margin("depth").stated and found.margin("depth").reason == "not seen"
    other = found.margin("normals")
    assert not other.stated and other.size == 0.01
    assert other.reason.startswith("default of this project, not stated for this task: the article calls")
    assert analysis().margin("depth") == other
    assert analysis(margins={"default": MARGIN}).margin("depth").stated


def test_a_margin_that_nobody_stated_says_so_when_it_is_read_again(tmp_path: Path) -> None:
    config = {key: value for key, value in DEMO.items() if key != "analysis"}
    save_resolved(resolve(config), tmp_path / "settings.yaml")
    found = load_settings(tmp_path / "settings.yaml").for_analysis
    assert [found.margin(task).stated for task in found.tasks] == [False] * len(found.tasks)
    assert UNSTATED in (tmp_path / "settings.yaml").read_text()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_configs_state_their_margins_and_nothing_in_vain(path: Path) -> None:
    resolved = resolve(yaml.safe_load(path.read_text()))
    assert unmatched(resolved) == []
    found = settings(resolved).for_analysis
    assert all(found.margin(task).stated for task in found.tasks)


def test_ranges_are_of_tasks_that_are_not_the_projects_own() -> None:
    found = analysis(
        ranges={"depth": [0, 80], "correlation": [-1, 1], "loss": "unbounded", "error": [0, math.inf], "share": [0, 1]},
        margins=dict.fromkeys(("depth", "correlation", "loss", "error"), MARGIN),
        lower_is_better=["depth", "error"],
    )
    assert [found.span(task) for task in ("depth", "correlation", "loss", "error", "share")] == [80, 2, None, None, 1]
    assert found.span("classification") == found.span("anything") == 1
    assert (found.ranges["share"], found.ranges["loss"]) == (FRACTIONS, UNBOUNDED)
    depth, share = found.task("depth"), found.task("share")
    assert (depth.bounded, depth.percent, depth.higher_is_better, depth.factor) == (False, False, False, 1)
    assert (share.bounded, share.percent, share.higher_is_better, share.factor) == (True, True, True, 100)
    assert depth.unit_of_changes == "units of the metric"
    assert found.task("classification").higher_is_better and found.task("correlation").higher_is_better


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"ranges": {"depth": [80, 0]}}, r"analysis\.ranges\.depth: \[80, 0\] is no range.*first below the second"),
        ({"ranges": {"depth": [0, math.nan]}}, r"analysis\.ranges\.depth\.1: nan is no number; needed: number"),
        ({"ranges": {"depth": [0]}}, r"analysis\.ranges\.depth: 1 given; needed: 2"),
        ({"ranges": {"depth": "any"}}, r"analysis\.ranges\.depth: 'any' is not allowed.*two numbers, or unbounded"),
        ({"ranges": {"depth": [0, 80]}}, r"analysis\.margins: missing depth; the default margin is a fraction"),
        ({"ranges": {"segmentation": [0, 2]}}, r"analysis\.ranges: segmentation is a task of this project.*remove it"),
        ({"lower_is_better": ["segmentation"]}, r"analysis\.lower_is_better: segmentation is a task of this project"),
        (
            {"ranges": {"depth": [0, 80]}, "margins": {"depth": {"margin": 80, "reason": "?"}}},
            r"analysis\.margins\.depth\.margin: 80 is as wide as its range \[0, 80\].*below 80",
        ),
        (
            {"margins": {"depth": {"margin": 2, "reason": "?"}}},
            r"depth\.margin: 2 is no fraction.*unless analysis\.ranges\.depth gives its scores another range",
        ),
        (
            {"alpha": 0.005, "draws": 99},
            r"analysis\.alpha: 0\.005 cannot be attained by analysis\.draws: 99, whose.* 1/100; .* at least 199 draws",
        ),
        ({"families": ["dataset", "modle"]}, r"analysis\.families\.1: 'modle' is not known \(did you mean 'model'\?\)"),
    ],
)
def test_what_cannot_be_stated(stated: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        resolve_analysis({"analysis": stated}, Path("mine.yaml"))


@pytest.mark.parametrize(("alpha", "draws"), [(0.01, 99), (0.005, 199), (0.05, 99), (0.0001, 9999)])
def test_an_alpha_that_the_draws_just_attain(alpha: float, draws: int) -> None:
    assert analysis(alpha=alpha, draws=draws).alpha == alpha


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (
            {"margins": {"dept": MARGIN}},
            r"analysis\.margins\.dept: 'dept' is no task of the outcomes \(did you mean 'depth'\?\); found: depth",
        ),
        ({"ranges": {"dept": [0, 1]}}, r"analysis\.ranges\.dept: 'dept' is no task of .*'depth'"),
        ({"lower_is_better": ["dept"]}, r"analysis\.lower_is_better: 'dept' is no task of .*'depth'"),
        (comparison(tasks=["normal"]), r"analysis\.comparisons\.x\.tasks: 'normal' is no task of .*'normals'"),
        (comparison(conditions=["blured"]), r"comparisons\.x\.conditions: 'blured' is no condition of .*'blurred'"),
    ],
)
def test_what_certainly_matches_nothing_is_an_error(stated: dict[str, Any], said: str) -> None:
    resolved = resolve_analysis({"analysis": stated})
    with pytest.raises(ConfigError, match=rf"mine\.yaml cannot be used:\n  .*{said}"):
        require_matched(resolved, PRESENT, Path("mine.yaml"))


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (
            {"margins": {"retrieval": MARGIN}},
            "analysis.margins.retrieval: 'retrieval' has no effect, being no task of the outcomes; "
            "found: depth, normals",
        ),
        (
            comparison(families=["a", "bb"]),
            "analysis.comparisons.x.families: has no rows; 'bb' is no family of the outcomes (did you mean 'b'?); "
            "found: a, b, c",
        ),
        (
            comparison(families=["a", "c"]),
            "analysis.comparisons.x.families: has no rows; 'a' and 'c' share no scale",
        ),
        (
            {"compressions": [["a", "d"]]},
            "analysis.compressions.0: has no rows; 'd' is no family of the outcomes; found: a, b, c",
        ),
    ],
)
def test_what_may_be_meant_for_other_outcomes_is_a_warning(stated: dict[str, Any], said: str) -> None:
    assert require_matched(resolve_analysis({"analysis": stated}), PRESENT, Path("mine.yaml")) == [f"mine.yaml: {said}"]


def test_what_is_stated_well_is_not_warned_of() -> None:
    stated = {
        "margins": {"depth": MARGIN, "default": MARGIN},
        "compressions": [["a", "b"]],
        **comparison(tasks=["depth"]),
    }
    assert require_matched(resolve_analysis({"analysis": stated}), PRESENT) == []
    assert require_matched(resolve_analysis({}), PRESENT) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"margins": {"segmentatoin": MARGIN}},
            r"'segmentatoin' is no task of this config \(did you mean 'segmentation'",
        ),
        (
            comparison(conditions=["zero_random_patches"]),
            r"no condition of this config \(did you mean 'zero_random_pat",
        ),
        ({"alpha": 0.001, "draws": 500}, r"analysis\.alpha: 0\.001 cannot be attained by analysis\.draws: 500"),
    ],
)
def test_mistakes_of_configs(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        resolve(demo_with(**changes))


def test_doubts_of_configs() -> None:
    changes = comparison(families=["open", "bottelneck"], conditions=["zero_cls"])
    found = unmatched(resolve(demo_with(**changes, margins={"pck_per_image": MARGIN, "default": MARGIN})))
    assert [line.split(";")[0] for line in found] == [
        "analysis.margins.pck_per_image: 'pck_per_image' has no effect, being no task of this config",
        "analysis.comparisons.x.families: has no rows",
    ]
    assert "'bottelneck' is no family of this config (did you mean 'bottleneck'?)" in found[1]
    # cycle_consistency comes with correspondence, without being asked for.
    assert unmatched(resolve(demo_with(margins={"cycle_consistency": MARGIN, "default": MARGIN}))) == []


def test_a_range_says_what_it_is() -> None:
    assert [str(one) for one in (Range(0, 80), UNBOUNDED, Range(0, math.inf))] == ["[0, 80]", "unbounded", "[0, inf]"]
