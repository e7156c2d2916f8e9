"""What the report says of a run's conditions and data, for everything that a config may hold."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from config.conditions import conditions_of
from config.resolve import schema
from reports.facts import condition_table, dataset_notes, dataset_table
from reports.table import render

SCHEMA = schema()["properties"]


def conditions(unmeasured: tuple[str, ...] = (), **stated: object) -> str:
    found = conditions_of(stated)
    measured = [{"condition": name} for name, one in found.items() if one.entry not in unmeasured]
    return render(condition_table(SimpleNamespace(settings=SimpleNamespace(conditions=found), ablation=measured)))  # type: ignore[arg-type]


@pytest.mark.parametrize("by", SCHEMA["conditions"]["additionalProperties"]["properties"]["by"]["enum"])
def test_every_replacement_is_described(by: str) -> None:
    shown = conditions(c={"tokens": ["cls", "r2"], "by": by})
    assert f">{by}<" not in shown
    assert "CLS, r2" in shown


def test_a_condition_that_no_model_took_says_so() -> None:
    stated = {"zero_r2": {"tokens": ["r2"], "by": "zero"}, "zero_r9": {"tokens": ["r9"], "by": "zero"}}
    words = "not measured: no model has these tokens"
    assert words not in conditions(**stated)
    assert words in conditions(unmeasured=("zero_r9",), **stated).partition("zero_r9")[2]
    assert conditions(unmeasured=("zero_r9",), **stated).count(words) == 1


def test_what_a_data_set_left_out_is_told_with_it() -> None:
    packs = {
        "photos": {"chance": None, "left_out": ["3 files are left out; the first is <ant>/c.heic. Convert them"]},
        "others": {"chance": None},
    }
    shown = dataset_notes(SimpleNamespace(packs=packs, settings=SimpleNamespace(calibrate_on="photos")))  # type: ignore[arg-type]
    photos, _, others = shown.partition("<b>others</b>")
    assert "3 files are left out; the first is &lt;ant&gt;/c.heic. Convert them.</p>" in photos
    assert "left out" not in others


def test_random_patches_are_counted() -> None:
    assert "7 random patches, drawn 3 times" in conditions(c={"tokens": ["random_patches"], "patches": 7, "draws": 3})
    assert "4 random patches<" in conditions(c={"tokens": ["random_patches"], "by": "zero"})
    assert "nothing is replaced" in conditions(full={})


@pytest.mark.parametrize("source", SCHEMA["datasets"]["additionalProperties"]["properties"]["source"]["enum"])
def test_every_source_is_described(source: str) -> None:
    packs = {"d": {"source": source, "splits": {}, "images": 3, "classes": 2}}
    shown = render(dataset_table(SimpleNamespace(packs=packs)))  # type: ignore[arg-type]
    assert f">{source}<" not in shown
    assert "<small>" in shown
