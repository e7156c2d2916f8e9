"""Probes that a killed job has fitted, and that the next one takes as they are."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from config.settings import Probe
from extract.tasks import probes
from extract.tasks.checkpoints import kept_probes
from extract.tasks.linear_probe import LinearProbe
from extract.tasks.probes import linear_probes, refitted

OPTIONS = Probe(strengths=(0.01, 0.1), held_out=0.25, tokens=("cls",), refits=0, iterations=500)
LABELS = np.arange(60) % 3
UNITS = [f"u{k}" for k in range(60)]


def sets(n: int = 4) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(60, 5)) + LABELS[:, None]).astype(np.float32) for _ in range(n)]


class Killed(Exception):
    """Stands for the end of a job."""


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Let one set of features be fitted at a time, count calls of the solver, and end the job after so many."""
    monkeypatch.setattr(probes, "at_once", lambda *_: 1)
    solve = probes.solve

    def count(most: int) -> list[int]:
        calls: list[int] = []

        def counted(*arguments: object) -> object:
            if len(calls) == most:
                raise Killed
            calls.append(1)
            return solve(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(probes, "solve", counted)
        return calls

    return count


def assert_same(one: list[LinearProbe], other: list[LinearProbe]) -> None:
    for a, b in zip(one, other, strict=True):
        for each in fields(LinearProbe):
            np.testing.assert_array_equal(getattr(a, each.name), getattr(b, each.name))
            assert type(getattr(a, each.name)) is type(getattr(b, each.name))


def test_a_killed_job_resumes_without_refitting_what_was_fitted(
    tmp_path: Path, solved: Callable[[int], list[int]]
) -> None:
    folder, features = tmp_path / "probes", sets()
    whole = linear_probes(features, LABELS, UNITS, OPTIONS)
    again = refitted(whole, features, LABELS[::-1].copy(), OPTIONS, "cpu")
    solved(5)  # two solves per set: one along the penalties, one on all rows
    with pytest.raises(Killed), kept_probes(folder):
        linear_probes(features, LABELS, UNITS, OPTIONS)
    assert len(list(folder.iterdir())) == 2
    calls = solved(100)
    with kept_probes(folder):
        resumed = linear_probes(features, LABELS, UNITS, OPTIONS)
        assert len(calls) == 4
        assert_same(refitted(resumed, features, LABELS[::-1].copy(), OPTIONS, "cpu"), again)
        assert len(calls) == 8
        refitted(resumed, features, LABELS[::-1].copy(), OPTIONS, "cpu")
        assert len(calls) == 8
    assert_same(resumed, whole)
    assert not folder.exists()


def test_probes_of_other_inputs_are_not_taken(tmp_path: Path, solved: Callable[[int], list[int]]) -> None:
    features, calls = sets(1), solved(100)
    with kept_probes(tmp_path / "probes"):
        for inputs in (
            (features, LABELS, UNITS, OPTIONS),
            ([features[0] + 1], LABELS, UNITS, OPTIONS),
            (features, LABELS[::-1].copy(), UNITS, OPTIONS),
            (features, LABELS, UNITS[::-1], OPTIONS),
            (features, LABELS, UNITS, replace(OPTIONS, strengths=(0.01, 1.0))),
        ):
            before = len(calls)
            linear_probes(*inputs)
            assert len(calls) == before + 2


def test_nothing_is_kept_outside_a_block(tmp_path: Path, solved: Callable[[int], list[int]]) -> None:
    with kept_probes(tmp_path / "probes"):
        linear_probes(sets(1), LABELS, UNITS, OPTIONS)
    calls = solved(100)
    linear_probes(sets(1), LABELS, UNITS, OPTIONS)
    assert len(calls) == 2 and not (tmp_path / "probes").exists()
