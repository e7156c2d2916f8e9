"""What the report says of a run's conditions and data, for everything that a config may hold."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from config.conditions import conditions_of
from config.resolve import schema
from reports.facts import condition_table, dataset_table
from reports.table import render

SCHEMA = schema()["properties"]


def conditions(**stated: object) -> str:
    return render(condition_table(SimpleNamespace(settings=SimpleNamespace(conditions=conditions_of(stated)))))  # type: ignore[arg-type]


@pytest.mark.parametrize("by", SCHEMA["conditions"]["additionalProperties"]["properties"]["by"]["enum"])
def test_every_replacement_is_described(by: str) -> None:
    shown = conditions(c={"tokens": ["cls", "r2"], "by": by})
    assert f">{by}<" not in shown
    assert "CLS, r2" in shown


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
