"""What things are called changes nothing: the analysis of a run whose conditions, models and data set are renamed.

The names of a finished run are replaced word by word in its files, the analysis is run on them, and the names are put
back in what it wrote.
"""

import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

from analysis.jobs import comparison, comparisons, figures, known_answers, layers, tables, task
from analysis.rows.registry import DECLARED, path_of
from analysis.rows.schema import read_text
from config.layout import FIGURES, Run
from config.settings import load_settings
from tests.end_to_end.conftest import Checkout

# In another alphabetical order than before.
WORDS = {
    **{"zero": "tau", "mean": "sigma", "noise": "rho", "resample": "pi", "shuffle": "omicron", "trajectory": "xi"},
    **{"registers": "beta", "random": "nu", "patches": "zeta", "r1": "eta1", "s": "theta"},
    **{"plain": "lambda", "bottleneck": "kappa", "sink": "iota"},
}
DATASET = {"scenes": "album"}
# What random draws enter: they are keyed by the data set's name, which is its identity.
DRAWN = re.compile(r".*(low|high|interval|p|p_.*|draws|conclusion|reading|shown_.*)")

# No families are compared, and one register alone is replaced in the small run.
WITHOUT_ROWS = ("compression", "additivity", "cumulative")


def renamed(name: str, words: Mapping[str, str]) -> str:
    return re.sub(r"[a-z]+\d*", lambda word: words.get(word[0], word[0]), name)


def rename_run(finished: Run, run: Run, words: Mapping[str, str]) -> None:
    """Copy what the analysis reads of a finished run, every name of a condition, model and data set replaced."""
    settings = yaml.safe_load(finished.settings.read_text())

    def names(mapping: Mapping[str, object]) -> dict[str, object]:
        return {renamed(name, words): value for name, value in mapping.items()}

    settings["models"], settings["datasets"] = names(settings["models"]), names(settings["datasets"])
    settings["conditions"] = names(settings["conditions"])
    settings["calibrate_on"] = renamed(settings["calibrate_on"], words)
    settings["measures"]["datasets"] = [renamed(name, words) for name in settings["measures"]["datasets"]]
    for one in settings["analysis"]["comparisons"].values():
        one["conditions"] = [renamed(name, words) for name in one["conditions"]]
    run.folder.mkdir(parents=True)
    run.settings.write_text(yaml.safe_dump(settings, sort_keys=False))
    for path in [*finished.folder.glob("outcomes/*/*.parquet"), *finished.all_measures.rglob("*.parquet")]:
        frame = pd.read_parquet(path)
        for column in {"dataset", "model", "condition"} & set(frame):
            frame[column] = frame[column].map(lambda name: renamed(name, words))
        place = path.relative_to(finished.folder)
        model_and_below = [renamed(part, words) for part in place.parts[1:-1]]
        stem = renamed(place.stem, words) if place.parts[0] == "outcomes" else place.stem
        target = run.folder.joinpath(place.parts[0], *model_and_below, f"{stem}.parquet")
        if place.parts[0] == "outcomes":
            target = run.outcomes(place.parts[1], renamed(place.stem, words))
        target.parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(target, index=False)
    changes = pd.read_csv(finished.record_changes)
    for column in ("dataset", "model", "condition"):
        changes[column] = changes[column].map(lambda name: renamed(name, words))
    changes.to_csv(run.record_changes, index=False)
    for dataset in load_settings(finished.settings).datasets:
        facts = run.pack(renamed(dataset, words)).facts
        facts.parent.mkdir(parents=True)
        shutil.copy2(finished.pack(dataset).facts, facts)


def analyse(run: Run) -> None:
    settings = load_settings(run.settings)
    given = ["--settings", str(run.settings)]
    for dataset, reported in settings.for_analysis.datasets.items():
        for name in reported:
            task.main([*given, "--dataset", dataset, "--task", name])
    for one in settings.analysis.comparisons:
        comparison.main([*given, "--comparison", one.name])
    for whole in (comparisons, layers, tables, known_answers):
        whole.main(given)
    for dataset in settings.datasets:
        figures.main([*given, "--dataset", dataset])


def rows_of(path: Path, back: Mapping[str, str]) -> tuple[list[str], list[dict[str, str]]]:
    columns, rows = read_text(path, ())
    named = [{renamed(key, back): renamed(value, back) for key, value in row.items()} for row in rows]
    return [renamed(name, back) for name in columns], named


def drawn_elements(path: Path, back: Mapping[str, str]) -> tuple[Counter[str], Counter[str]]:
    """What a figure draws, by kind, and its texts, which matplotlib writes as comments."""
    svg = path.read_text(encoding="utf-8")
    kinds = Counter(re.findall(r'id="([A-Za-z0-9]*[A-Za-z])_\d+"', svg))
    return kinds, Counter(renamed(text, back) for text in re.findall(r"<!-- (.*?) -->", svg))


def assert_names_change_nothing(finished: Checkout, tmp_path: Path, words: Mapping[str, str]) -> None:
    """Replace names in a finished run, analyse it, and compare what comes out with the names put back."""
    back = {new: old for old, new in words.items()}
    assert len(back) == len(words)
    run = Run(tmp_path / "renamed")
    rename_run(finished.run, run, words)
    analyse(run)
    settings = load_settings(run.settings)
    assert "zero_registers" not in settings.conditions and "sink_s" not in settings.models

    checks = pd.read_csv(run.table("known_answers"))
    assert len(checks) == len(pd.read_csv(finished.run.table("known_answers"))) > 20
    assert len(pd.read_csv(run.table("replacement"))) == 7
    for name in DECLARED:
        columns, rows = rows_of(path_of(name, run), back)
        before_columns, before = rows_of(path_of(name, finished.run), {})
        before_columns = [renamed(column, {}) for column in before_columns]
        assert sorted(columns) == sorted(before_columns), name
        # What a compression's test detects rests on bootstrap resamples; elsewhere nothing drawn decides it.
        drawn = {"detectable"} if name == "compression" else set()
        kept = [column for column in columns if words is WORDS or not (DRAWN.fullmatch(column) or column in drawn)]
        if words is not WORDS and name == "nulls":
            continue  # nothing but draws
        assert len(rows) == len(before) > 0 or name in WITHOUT_ROWS, name

        def shown(table: list[dict[str, str]], kept: list[str] = kept) -> list[tuple[str, ...]]:
            return sorted(tuple(row[column] for column in kept) for row in table)

        assert shown(rows) == shown(before), name
    for dataset in settings.datasets:
        for figure in FIGURES:
            kinds, texts = drawn_elements(run.figure(dataset, figure), back)
            before_kinds, before_texts = drawn_elements(finished.run.figure(renamed(dataset, back), figure), {})
            assert sum(before_kinds.values()) > 20 or figure == "cumulative", figure
            if words is WORDS:
                assert kinds == before_kinds and texts == before_texts, figure
