"""What the jobs of the analysis keep for each other, and what each of them is made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from analysis.engine.permutation import PermutationDraws
from analysis.jobs import tables
from analysis.outcomes.gather import gather_outcomes
from analysis.rows.registry import DECLARED, LAYER_TABLES, PARTS
from analysis.statistics.nulls import joined, read_nulls, save_nulls
from analysis.statistics.task import task_statistics
from config.settings import load_settings
from config.sources import sources

if TYPE_CHECKING:
    from conftest import SyntheticRun


def permuted(contrasts: int, draws: int = 50) -> PermutationDraws:
    generator = np.random.default_rng(contrasts)
    null = generator.normal(size=(draws, contrasts))
    null[:3, :1] = np.nan
    return PermutationDraws(*generator.normal(size=(1, contrasts)), null, *generator.normal(size=(2, contrasts)))


@pytest.mark.parametrize("contrasts", [0, 1, 7])
def test_null_distributions_come_back_to_the_last_bit(contrasts: int, tmp_path: Path) -> None:
    nulls = permuted(contrasts) if contrasts else joined([])
    save_nulls(nulls, tmp_path / "nulls.parquet")
    found = read_nulls(tmp_path / "nulls.parquet")
    for name in ("observed", "null", "tolerance", "scale"):
        np.testing.assert_array_equal(getattr(found, name), getattr(nulls, name))


def test_contrasts_are_joined_in_order() -> None:
    both = joined([permuted(2), joined([]), permuted(3)])
    np.testing.assert_array_equal(both.null, np.hstack([permuted(2).null, permuted(3).null]))
    np.testing.assert_array_equal(both.observed[2:], permuted(3).observed)


def test_parts_come_back_as_they_were(synthetic_run: SyntheticRun) -> None:
    synthetic_run.analyse()
    settings = load_settings(synthetic_run.run.settings).for_analysis
    for task in synthetic_run.tasks:
        outcomes = gather_outcomes(synthetic_run.run, settings, task, settings.models)
        made, read = task_statistics(outcomes, settings), tables.read_part(synthetic_run.run, "scenes", task)
        assert list(made.rows) == list(read.rows) == list(PARTS)
        for name, kind in PARTS.items():
            assert {type(row) for row in made.rows[name]} <= {kind}
            assert repr(read.rows[name]) == repr(list(made.rows[name])), (task, name)


def test_every_table_is_made_by_one_rule() -> None:
    made = [*PARTS, "replacement", *LAYER_TABLES, "comparisons", "nulls", "known_answers"]
    assert sorted(made) == sorted(DECLARED)


@pytest.mark.parametrize(
    ("job", "without"),
    [
        ("figures", ("analysis/statistics/", "analysis/engine/", "analysis/outcomes/")),
        ("task", ("analysis/figures/", "analysis/statistics/comparisons.py", "analysis/statistics/known_answers.py")),
        ("comparison", ("analysis/figures/", "analysis/statistics/ablation.py", "analysis/statistics/geometry.py")),
        ("comparisons", ("analysis/figures/", "analysis/statistics/", "analysis/engine/")),
        ("layers", ("analysis/figures/", "analysis/statistics/comparisons.py", "analysis/statistics/ablation.py")),
        ("tables", ("analysis/figures/", "analysis/statistics/ablation.py", "analysis/statistics/comparisons.py")),
        ("known_answers", ("analysis/figures/", "analysis/statistics/ablation.py")),
        ("needs", ("analysis/statistics/", "analysis/engine/", "analysis/outcomes/", "analysis/figures/")),
    ],
)
def test_a_job_is_made_of_what_it_computes(job: str, without: tuple[str, ...]) -> None:
    assert not [source for source in sources(f"analysis.jobs.{job}") if source.startswith(without)]
