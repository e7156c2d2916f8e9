"""Which conclusions survive a multiverse, on tables whose answer is plain."""

from pathlib import Path

import pytest

from analysis.figures.multiverse import MOST, headlines, specification_curve
from analysis.rows.multiverse import ConclusionRow, UniverseRow
from analysis.statistics.universes import survivals
from config.layout import EMPTY_FIGURE

ABOUT = {"dataset": "d", "task": "classification", "readout": "matched", "subject": "m", "question": ""}


def row(universe: str, condition: str, state: str, estimate: float, kind: str = "delta") -> ConclusionRow:
    between = {"low": estimate - 0.01, "high": estimate + 0.01}
    return ConclusionRow(
        **ABOUT, **between, kind=kind, condition=condition, universe=universe, estimate=estimate,
        conclusion=state, state=state,
    )  # fmt: skip


def universe(name: str, choices: str = "", options: str = "") -> UniverseRow:
    return UniverseRow(universe=name, run=f"r-{name}", choices=choices, options=options, config="0")


@pytest.mark.parametrize(
    ("states", "survival", "same"),
    [
        (("lower", "lower", "lower"), "all", 3),
        (("lower", "open", "lower"), "weakened", 2),
        (("lower", "open", "preserved"), "reversed", 1),
        (("lower", "higher", "lower"), "reversed", 2),
        (("preserved", "preserved", "open"), "weakened", 2),
        (("open", "lower", "open"), "open", 2),
    ],
)
def test_survival_is_read_from_the_states(states: tuple[str, ...], survival: str, same: int) -> None:
    rows = [
        row(name, "c", state, -0.1 * k) for k, (name, state) in enumerate(zip(("base", "a", "b"), states, strict=True))
    ]
    (found,) = survivals(rows)
    assert (found.survival, found.same, found.universes) == (survival, same, 3)
    assert (found.estimate, found.least, found.most) == (0, -0.2, 0)
    others = dict(zip(("a", "b"), states[1:], strict=True))
    opened = [name for name, state in others.items() if state == "open" != states[0]]
    turned = [name for name, state in others.items() if state not in ("open", states[0])]
    assert (found.opened_by, found.reversed_by) == (";".join(opened), ";".join(turned))


def test_what_a_universe_did_not_measure_is_not_held_against_a_conclusion() -> None:
    rows = [row("base", "c", "lower", -0.1), row("base", "e", "lower", -0.1), row("a", "c", "lower", -0.2)]
    rows.append(row("a", "only there", "higher", 0.2))
    found = {each.condition: each for each in survivals(rows)}
    assert set(found) == {"c", "e"}
    assert [(each.universes, each.same, each.survival) for each in found.values()] == [(2, 2, "all"), (1, 1, "all")]


def test_the_curve_shows_comparisons_first_and_those_that_vary_most() -> None:
    names = [f"c{k:02d}" for k in range(MOST + 3)]
    rows = [row(of, name, "lower", -0.1 - k * place / 100, "comparison")
            for k, name in enumerate(names) for place, of in enumerate(("base", "a"))]  # fmt: skip
    rows.append(row("base", "delta", "lower", -0.1))
    assert [about.condition for about in headlines(rows)] == names[3:]
    assert [about.condition for about in headlines(rows[-1:])] == ["delta"]


def test_the_curve_is_drawn_from_the_rows_alone(tmp_path: Path) -> None:
    rows = [row(name, "c", state, at) for name, state, at in (("base", "lower", -0.2), ("a", "open", -0.1))]
    universes = [universe("base"), universe("a", "penalty", "strong")]
    files = [tmp_path / f"{k}.svg" for k in range(3)]
    for file in files[:2]:
        specification_curve(rows, universes, {"penalty": "Penalty"}, file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert EMPTY_FIGURE not in files[0].read_text()
    specification_curve(rows, universes[:1], {}, files[2])
    assert EMPTY_FIGURE in files[2].read_text()
