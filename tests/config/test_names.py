"""Names from configs and outcomes: none is a path, and none leads out of a run's folder."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.errors import InputError
from config.layout import ROOT, Run, inside
from config.names import LONGEST, fault_of, remedy_for
from config.resolve import ConfigError, resolve, resolve_analysis

DEMO = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())
PATHS = (
    "../x",
    "..",
    ".",
    "/abs",
    "a/b",
    "a\\b",
    "C:x",
    "C:\\x",
    ".hidden",
    "",
    "  ",
    "a\0b",
    "a\nb",
    "a\x1b[2J",
    " a",
)


@pytest.mark.parametrize("text", [*PATHS, "a\n", "x" * (LONGEST + 1), "a\u2028b", "\ud800"])
def test_what_is_no_name(text: str) -> None:
    assert fault_of(text)
    assert remedy_for(text).startswith("It must be a name")


@pytest.mark.parametrize("text", ["scenes", "ImageNet-1k, v2.0", "a..b", "größer", "数据", "x" * LONGEST, "{model}"])
def test_what_is_a_name(text: str) -> None:
    assert fault_of(text) == ""


@pytest.mark.parametrize(
    ("path", "nearest"), [("../x", "x"), ("/data/mine", "data_mine"), ("C:\\a", "a"), ("a\n", "a")]
)
def test_the_remedy_is_a_name(path: str, nearest: str) -> None:
    assert fault_of(nearest) == ""
    assert f"write {nearest!r}" in remedy_for(path)


@pytest.mark.parametrize("name", PATHS[:7])
@pytest.mark.parametrize(
    "place",
    [
        lambda run, name: run.figure(name, "nulls"),
        lambda run, name: run.figure("scenes", name),
        lambda run, name: run.figures_of(name),
        lambda run, name: run.table(name),
        lambda run, name: run.test(name),
        lambda run, name: run.part(name, "task", "ablation"),
        lambda run, name: run.part("scenes", name, "ablation"),
        lambda run, name: run.nulls("scenes", name),
        lambda run, name: run.comparison(name, "nulls"),
        lambda run, name: run.outcomes(name, "net"),
        lambda run, name: run.outcomes("task", name),
        lambda run, name: run.probes("task", name),
        lambda run, name: run.records("net", "scenes", "1-of-1", name),
        lambda run, name: run.measures("net", name, "1-of-1"),
        lambda run, name: run.spectra(name, "scenes", "1-of-1"),
        lambda run, name: run.calibration(name),
        lambda run, name: run.pack(name),
    ],
)
def test_no_file_of_a_run_is_outside_its_folder(place: Callable[[Run, str], Path], name: str) -> None:
    try:
        found = place(Run(Path("results/mine")), name)
    except InputError as error:
        assert "nothing is written to" in str(error)
    else:
        # A suffix turns "..", for example, into the name of a file.
        assert found.resolve().is_relative_to(Path("results/mine").resolve())


def test_names_that_end_in_a_suffix_stay_inside() -> None:
    assert inside(Path("out"), "figures", "x" * LONGEST, f"{'x' * LONGEST}.spectra.parquet").parts[0] == "out"


def with_name(*keys: str, name: object, value: Any = None) -> dict[str, Any]:
    """The demo's config, with one more key called `name`, or with a text set to it."""
    config = copy.deepcopy(DEMO)
    inner = config
    for key in keys:
        inner = inner.setdefault(key, {})
    if value is None:
        inner["family"] = name
    else:
        inner[name] = value
    return config


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (with_name("datasets", name="../x", value=DEMO["datasets"]["scenes"]), "'../x'"),
        (with_name("datasets", name="x\n", value=DEMO["datasets"]["scenes"]), "holds a control character"),
        (with_name("conditions", name=1, value={"tokens": ["cls"], "by": "zero"}), "conditions.1: 1 is a int"),
        (with_name("conditions", name=True, value={"tokens": ["cls"], "by": "zero"}), "needed: a name, in quotes"),
        (with_name("models", "open_s", name="../open"), "models.open_s.family: '../open' holds '/'"),
        (with_name("analysis", "margins", name="a/b", value={"margin": 0.1, "reason": "?"}), "analysis.margins.a/b"),
    ],
)
def test_names_of_configs(config: dict[str, Any], said: str) -> None:
    if "margins" in config["analysis"]:
        config["analysis"]["margins"]["default"] = {"margin": 0.1, "reason": "?"}
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    assert said in str(caught.value)


def test_names_of_settings() -> None:
    with pytest.raises(ConfigError, match=r"analysis\.margins\.\.\./x: '\.\./x' holds '/'.*write 'x', for example"):
        resolve_analysis(
            {
                "analysis": {
                    "margins": {"../x": {"margin": 0.1, "reason": "?"}, "default": {"margin": 0.1, "reason": "?"}}
                }
            }
        )
