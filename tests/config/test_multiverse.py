"""Universes of a config: which there are, and what one is told that cannot be run."""

import copy
from typing import Any

import pytest
import yaml

from config.key_paths import require_key, values_of, with_values
from config.layout import ROOT
from config.multiverse import BASE, choices_of, universes
from config.resolve import ConfigError, resolve
from config.settings import settings

SHIPPED = yaml.safe_load((ROOT / "config" / "multiverse.yaml").read_text())


def described(choices: dict[str, Any], **more: Any) -> dict[str, Any]:
    config = copy.deepcopy(SHIPPED)
    config["multiverse"] = {"choices": {name: {"options": options} for name, options in choices.items()}, **more}
    return resolve(config)


def test_the_shipped_multiverse_can_be_run() -> None:
    config = resolve(SHIPPED)
    base, *others = universes(config)
    assert (base.name, base.run) == (BASE, "multiverse")
    assert len(others) == sum(len(choice.options) for choice in choices_of(config)) >= 8
    assert (
        len({one.identity for one in (base, *others)}) == len({one.run for one in (base, *others)}) == len(others) + 1
    )
    for one in others:
        assert settings(one.config).run == one.run
        assert resolve(one.config) == one.config
    # Probes alone need no forward pass again; images, groups and seeds do.
    shared = {one.name for one in others if one.shares_records(base)}
    assert shared == {"penalty-strong", "penalty-library_default", "scale-as_they_are"}


def test_a_config_without_the_section_is_one_universe() -> None:
    config = {key: value for key, value in SHIPPED.items() if key != "multiverse"}
    (only,) = universes(resolve(config))
    assert only.config == resolve(config)


def test_options_change_what_they_name_and_nothing_else() -> None:
    config = described({"probe": {"c": {"probe.strengths": [1.0]}}, "warps": {"w": {"datasets.*.warps.turn": 45}}})
    base, strengths, warps = universes(config)
    assert strengths.config["probe"] == {**base.config["probe"], "strengths": [1.0]}
    assert warps.config["datasets"]["scenes"]["warps"] == {"turn": 45, "zoom": 1.25, "shift": 0.08}
    for one in (strengths, warps):
        same = set(base.config) - {"run", "title", "probe", "datasets"}
        assert {key: one.config[key] for key in same} == {key: base.config[key] for key in same}
    assert (strengths.options, warps.options) == ({"probe": "c"}, {"warps": "w"})


def test_all_combinations_are_the_product_of_the_options() -> None:
    choices = {"seed": {"one": {"seed": 1}, "two": {"seed": 2}}, "scale": {"plain": {"probe.standardise": False}}}
    found = universes(described(choices, design="all_combinations"))
    assert [dict(one.options) for one in found] == [
        {},
        {"scale": "plain"},
        {"seed": "one"},
        {"seed": "one", "scale": "plain"},
        {"seed": "two"},
        {"seed": "two", "scale": "plain"},
    ]
    assert found[-1].run == "multiverse-seed-two-scale-plain"
    assert (found[-1].config["seed"], found[-1].config["probe"]["standardise"]) == (2, False)
    assert len(universes(described(choices))) == 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"probe.strenghts": [1]}, ["multiverse.choices.x.options.y", "'strenghts' (did you mean 'strengths'?)"]),
        ({"probe.strengths": [-1]}, ["multiverse.choices.x.options.y", "probe.strengths.0: -1"]),
        ({"datasets.scene.train": 9}, ["has no 'scene' (did you mean 'scenes'?)"]),
        ({"datasets.*.resize": "squash"}, ["'datasets.*.resize' means nothing in this config"]),
        ({"probe.standardise": True}, ["changes nothing, since the config has these values"]),
    ],
)
def test_an_option_that_cannot_be_run_is_named(changes: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        universes(described({"x": {"y": changes}}))
    for words in said:
        assert words in str(caught.value)


def test_the_run_of_a_universe_is_not_its_to_choose() -> None:
    with pytest.raises(ConfigError, match=r"multiverse\.choices\.x\.options\.y"):
        described({"x": {"y": {"run": "other"}}})


def test_a_star_means_the_data_sets_that_have_a_use_for_the_key() -> None:
    config = {"datasets": {"a": {"source": "voc"}, "b": {"source": "spair"}}}
    changed = with_values(config, {"datasets.*.resize": "squash"}, "here")
    assert values_of("datasets.*.resize", changed) == {"a": "squash"}
    assert config["datasets"]["a"] == {"source": "voc"}
    require_key("datasets.*.warps.zoom", "here")
