"""The table of protocol choices, and the page of universes."""

from __future__ import annotations

import re

import pytest
import yaml

from analysis.rows.multiverse import ConclusionRow, SurvivalRow, UniverseRow
from analysis.rows.registry import MULTIVERSE
from analysis.rows.schema import write_rows
from config.errors import InputError
from config.layout import PROTOCOL, Run
from config.multiverse import universes
from config.resolve import read_yaml, resolve
from reports.build import build
from reports.protocol import printed, protocol
from tests.reports.conftest import SVG

ASKED = ("strengths", "standardise", "calibration_trains", "resize", "source", "warps", "shuffle_group")


def test_every_choice_is_set_by_keys_of_the_schema_or_says_why_not() -> None:
    choices = protocol()
    keys = {key for choice in choices for key in choice.keys}
    assert {key.rpartition(".")[2] for key in keys} >= set(ASKED)
    assert all(bool(choice.keys) != bool(choice.fixed) for choice in choices)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"keys": ["probe.strenghts"]}, "choice 1 (penalty): 'probe.strenghts' is no key of the config"),
        ({"keys": ["datasets.*.resise"]}, "did you mean 'resize'?"),
        ({"keys": []}, "needed: keys of the config, or the reason why there is none"),
        ({"readings": ["one"]}, "readings: ['one']; needed: a list of two or more"),
        ({"why": ""}, "why is missing"),
        ({"reason": "x"}, "unknown key 'reason'"),
    ],
)
def test_a_choice_that_is_incomplete_is_named(tmp_path, change, said) -> None:
    stated = yaml.safe_load(PROTOCOL.read_text())
    stated["choices"][0] |= change
    path = tmp_path / "protocol.yaml"
    path.write_text(yaml.safe_dump(stated))
    with pytest.raises(InputError, match=re.escape(str(path))) as caught:
        protocol(path)
    assert said in str(caught.value)


def test_a_choice_listed_twice_is_refused(tmp_path) -> None:
    stated = yaml.safe_load(PROTOCOL.read_text())
    path = tmp_path / "protocol.yaml"
    path.write_text(yaml.safe_dump({"choices": stated["choices"][:1] * 2}))
    with pytest.raises(InputError, match="'penalty' is listed twice"):
        protocol(path)


def test_values_are_printed_as_a_reader_says_them() -> None:
    assert printed({"": [0.001, 0.1]}) == "0.001 or 0.1"
    assert printed({"a": {"margin": 0.01, "reason": "because"}}) == "margin 0.01"


def with_settings(run, **changes):
    settings = yaml.safe_load(run.settings.read_text())
    run.settings.write_text(yaml.safe_dump(settings | changes, sort_keys=False))
    return run


def test_the_table_prints_the_values_of_its_run(make_run, page_reader) -> None:
    run = with_settings(make_run(), probe={"strengths": [0.0625, 7.5], "standardise": False})
    build(run.settings, run.published, "pandoc")
    rows = {row[0]: row for row in page_reader(run.report / "methods.html").table("protocol-table")[1:]}
    assert len(rows) == len(protocol())
    assert "probe.strengths 0.0625 or 7.5" in rows["Penalty and solver of the probe"][-1]
    assert rows["Scale of the features"][-1] == "probe.standardise no"
    assert "datasets.*.resize not set" in rows["From a photograph to a square"][-1]


def test_a_run_without_universes_says_how_to_get_them(make_run, page_reader) -> None:
    run = make_run()
    build(run.settings, run.published, "pandoc")
    page = page_reader(run.report / "multiverse.html")
    assert "snakemake multiverse --cores all --configfile config/multiverse.yaml" in page.visible
    assert page.all("table") == [] and page.all("figure") == []


CHOICES = {"penalty": {"title": "A penalty < b", "options": {"strong": {"probe.strengths": [0.001]}}}}


def universe_rows(run, config):
    found = universes(config)
    about = {"kind": "delta", "dataset": "scenes", "task": "classification", "readout": "matched"}
    about |= {"subject": "sink_s", "condition": "zero_registers", "question": ""}
    of = {"conclusion": "different", "state": "lower", "estimate": -0.1234}
    tables = {
        "universes": [
            UniverseRow(
                universe=one.name,
                run=one.run,
                choices=";".join(one.options),
                options=";".join(one.options.values()),
                config=one.identity,
            )
            for one in found
        ],
        "conclusions": [ConclusionRow(**about, **of, universe=one.name, low=-0.2, high=-0.1) for one in found],
        "survival": [
            SurvivalRow(
                **about,
                **of,
                least=-0.1234,
                most=0.0567,
                universes=2,
                same=1,
                survival="reversed",
                opened_by="",
                reversed_by=found[1].name,
            )
        ],
    }
    files = Run(run.settings.parent)
    for name, rows in tables.items():
        write_rows(MULTIVERSE[name], rows, files.multiverse(name))
    files.specification_curve.write_text(SVG)


def test_a_conclusion_that_an_option_reverses_is_shown_with_it(make_run, page_reader) -> None:
    run = with_settings(make_run(), multiverse={"choices": CHOICES})
    universe_rows(run, resolve(read_yaml(run.settings)))
    build(run.settings, run.published, "pandoc")
    page = page_reader(run.report / "multiverse.html")
    ((*_, line),) = [page.table("survival-delta")]
    assert line[0] == "zero_registers, classification" and "reversed" in line[2]
    assert line[3:6] == ["1 of 2", "−12.3", "−12.3 to +5.7"]
    assert "penalty-strong" in line[6]
    options = page.table("choices-table")
    assert options[-1][3:] == ["0", "0", "1"] and "probe.strengths 0.001" in options[-1][2]
    assert "changed since" not in page.visible
    assert (run.report / "multiverse" / "survival.csv").is_file()


def test_universes_of_another_config_are_told_apart(make_run, page_reader) -> None:
    run = with_settings(make_run(), multiverse={"choices": CHOICES})
    universe_rows(run, resolve(read_yaml(run.settings)))
    with_settings(run, seed=78)
    build(run.settings, run.published, "pandoc")
    assert "The config has changed since the universes were run" in page_reader(run.report / "multiverse.html").visible
