"""The project's nouns: declared once, and everything that repeats them is held to the declaration."""

import dataclasses
import re
import subprocess
import sys

import pytest

from config.conditions import Condition, register_conditions
from config.layout import ROOT
from config.resolve import schema
from config.vocabulary.__main__ import tables
from config.vocabulary.known_answers import KNOWN_ANSWERS, SCALES
from config.vocabulary.measures import GEOMETRY_COLUMNS, MEASURES
from config.vocabulary.replacements import REPLACEMENTS
from config.vocabulary.sources import SOURCES, pairs_of, sources_with
from config.vocabulary.tasks import ASKED, NEEDS, READOUTS, TASKS, reported_tasks, task_of
from config.vocabulary.tokens import TOKEN, TOKEN_GROUPS, group_of, is_register

DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def test_the_vocabulary_needs_no_package() -> None:
    code = (
        "import sys; import config.vocabulary.__main__; "
        "print(*sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert {"torch", "numpy", "pandas", "jsonschema", "yaml", "timm"}.isdisjoint(loaded.stdout.split())
    assert "config" in loaded.stdout.split()


@pytest.mark.parametrize("words", [REPLACEMENTS, TASKS, SOURCES, MEASURES, TOKEN_GROUPS])
def test_every_record_is_filled_in(words: dict[str, object]) -> None:
    for name, record in words.items():
        assert record.name == name  # type: ignore[attr-defined]
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert record.label  # type: ignore[attr-defined]
    labels = [record.label for record in words.values()]  # type: ignore[attr-defined]
    assert len(set(labels)) == len(labels), "two things of one label cannot be told apart in a figure"


def test_the_schema_allows_what_is_declared() -> None:
    dataset = schema()["properties"]["datasets"]["additionalProperties"]["properties"]
    condition = schema()["properties"]["conditions"]["additionalProperties"]["properties"]
    assert dataset["source"]["enum"] == list(SOURCES)
    assert dataset["tasks"]["items"]["enum"] == list(ASKED)
    assert condition["by"]["enum"] == list(REPLACEMENTS)
    assert "$vocabulary" not in str(schema())
    # A source can only ask for keys that a data set has.
    assert {key for source in SOURCES.values() for key in source.keys} <= set(dataset)


@pytest.mark.parametrize("title", ["Replacements", "Known-answer families"])
def test_the_design_page_has_the_same_words(title: str) -> None:
    """Row by row; the page may have further columns and other tables."""
    for line in tables()[title].splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        name, meaning = cells[0].strip("`"), cells[1]
        rows = [row for row in DESIGN.splitlines() if re.match(rf"\| `?{name}`? \|", row)]
        assert any(meaning in row for row in rows), f"docs/design.md has no row for {name}: {meaning}"


def test_tasks_refer_to_declared_words() -> None:
    for task in TASKS.values():
        assert set(task.readouts) <= set(READOUTS) and task.readouts
        assert not task.part_of or task.part_of in ASKED
        assert task.needs in NEEDS
        assert not task.value_unit or not task.percent, "percent is the unit of values in percent"
    for source in SOURCES.values():
        assert source.tasks, f"nothing can be measured on source {source.name}"
        assert source.read == bool(source.holds)


def test_parts_of_a_task_come_with_the_pairs_they_are_defined_on() -> None:
    assert reported_tasks("correspondence", pairs_of("scenes")) == ("correspondence", "cycle_consistency")
    assert reported_tasks("correspondence", pairs_of("spair")) == ("correspondence", "pck_per_image")
    assert reported_tasks("correspondence", pairs_of(None)) == ("correspondence",)
    assert reported_tasks("retrieval", "warped") == ("retrieval",)


def test_a_task_of_others_is_a_ratio_of_counts() -> None:
    other = task_of("depth_of_mine")
    assert (other.metric, other.label, other.bounded) == ("ratio of counts", "depth of mine", True)


def test_tokens() -> None:
    assert [token for token in ("cls", "r1", "r12", "r0", "patch", "random_patches") if re.fullmatch(TOKEN, token)] == [
        "cls",
        "r1",
        "r12",
        "random_patches",
    ]
    assert is_register("r3") and not is_register("registers")
    assert group_of(("registers",)) == "registers" and group_of(("r1",)) == "" and group_of(()) == ""


def test_what_a_condition_does_does_not_depend_on_its_name() -> None:
    one, other = Condition("zero_registers", ("registers",), "zero"), Condition("abc", ("registers",), "zero")
    assert one.identity == other.identity == "zero_registers"
    assert one.group == other.group == "registers"
    assert Condition("mean_registers", ("cls",), "zero").group == "cls"
    assert Condition("full").identity == "full" and Condition("full").replacement is None
    drawn = Condition("x_2", ("random_patches",), "zero", draw=2, of="x")
    assert (drawn.entry, drawn.identity) == ("x", "zero_random_patches")


def test_register_conditions_come_in_the_order_of_the_vocabulary_with_labels_that_differ() -> None:
    conditions = {
        name: Condition(name, tokens, by)
        for name, tokens, by in (
            ("last", ("registers",), "shuffle"),
            ("twin", ("registers",), "zero"),
            ("first", ("registers",), "zero"),
            ("part", ("r1",), "zero"),
            ("head", ("cls",), "mean"),
        )
    }
    expected = {"full": "full", "twin": "zero (twin)", "first": "zero (first)", "last": "shuffle"}
    assert register_conditions(conditions) == expected
    assert register_conditions({"a": conditions["last"]}, article=True) == {"full": "Full", "last": "Shuffle"}


def test_keys_belong_to_sources() -> None:
    assert sources_with("test_share") == ("class_folders", "imagenet")
    assert sources_with("image_size") == (), "a key that every source takes is no source's own"


def test_measures_name_the_columns_of_the_files() -> None:
    from extract.measures import GEOMETRY

    assert tuple(GEOMETRY) == GEOMETRY_COLUMNS
    assert all(not measure.variant_of or measure.variant_of in MEASURES for measure in MEASURES.values())


def test_known_answer_families_are_those_that_are_trained() -> None:
    from extract.known_answer.networks import FAMILIES
    from extract.known_answer.networks import SCALES as TRAINED_SCALES

    assert tuple(FAMILIES) == tuple(KNOWN_ANSWERS)
    assert tuple(TRAINED_SCALES) == SCALES


def test_records_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        REPLACEMENTS["zero"].label = "nought"  # type: ignore[misc]


def test_the_vocabulary_prints_itself() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "config.vocabulary"], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout
    for name in (*REPLACEMENTS, *TASKS, *SOURCES, *MEASURES, *KNOWN_ANSWERS):
        assert f"`{name}`" in shown
