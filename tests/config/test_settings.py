"""What a config may say, and what it is told when it says something else."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.layout import ROOT
from config.settings import SCHEMA, ConfigError, load_settings, resolve, save_resolved, settings

SHIPPED = [path for path in sorted((ROOT / "config").glob("*.yaml")) if path != SCHEMA]
DEMO = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_configs_resolve(path: Path) -> None:
    found = settings(resolve(yaml.safe_load(path.read_text())))
    assert found.run == path.stem
    assert found.analysis["draws"] == 10_000
    assert found.calibrate_on in found.datasets


def changed(*keys: str, value: Any) -> dict[str, Any]:
    config = copy.deepcopy(DEMO)
    inner = config
    for key in keys[:-1]:
        inner = inner.setdefault(key, {})
    inner[keys[-1]] = value
    return config


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (changed("sed", value=1), ["unknown key 'sed' (value 1)", "did you mean 'seed'", "allowed: analysis,"]),
        (changed("seed", value="one"), ["seed: 'one' is a str", "integer"]),
        (changed("seed", value=-1), ["seed: -1"]),
        (changed("analysis", "drawz", value=5), ["analysis: unknown key 'drawz'", "did you mean 'draws'"]),
        (changed("analysis", "level", value=1.5), ["analysis.level: 1.5"]),
        (
            changed("conditions", "x", value={"tokens": ["cls"], "by": "zeros"}),
            ["conditions.x.by: 'zeros'", "zero, mean, noise, shuffle"],
        ),
        (changed("conditions", "x", value={"tokens": ["patch"], "by": "zero"}), ["conditions.x.tokens.0: 'patch'"]),
        (changed("conditions", "x", value={"tokens": ["cls"]}), ["conditions.x"]),
        (changed("conditions", "x", value={}), ["conditions.x", "only full, and it alone"]),
        (changed("conditions", "full", value={"tokens": ["cls"], "by": "zero"}), ["conditions.full"]),
        (
            changed("conditions", value={"zero_cls": {"tokens": ["cls"], "by": "zero"}}),
            ["conditions: missing full", "zero_cls"],
        ),
        (
            changed("datasets", "scenes", "tasks", value=["segmentations"]),
            ["'segmentations'", "classification, retrieval"],
        ),
        (changed("datasets", "scenes", "pairs", value=501), ["datasets.scenes.pairs: 501", "at most 500"]),
        (changed("calibrate_on", value="images"), ["calibrate_on: 'images'", "allowed: scenes"]),
        (
            changed("models", "sink_s", "family", value="skin"),
            ["models.sink_s.family: 'skin'", "plain, open, bottleneck, sink"],
        ),
        (changed("models", "sink_s", "weights", value="hub"), ["models.sink_s.weights: 'hub'", "path of a checkpoint"]),
        (changed("models", "sink_s", "image_size", value=64), ["models.sink_s.image_size", "remove it"]),
        (
            changed("models", "v", value={"source": "timm", "family": "v", "scale": "S"}),
            ["models.v: missing architecture", "models.v: missing image_size", "models.v: missing weights"],
        ),
        (
            changed("datasets", "p", value={"source": "class_folders", "image_size": 64, "tasks": ["segmentation"]}),
            ["datasets.p: missing path", "datasets.p.tasks: 'segmentation' needs masks"],
        ),
        (
            changed(
                "datasets", "p", value={"source": "spair", "image_size": 64, "tasks": ["classification"], "path": "x"}
            ),
            ["datasets.p.tasks: 'classification' needs one class an image", "allowed: correspondence"],
        ),
        (changed("datasets", "scenes", "test_share", value=0.2), ["datasets.scenes.test_share: 0.2", "class_folders"]),
        (changed("datasets", "scenes", "path", value="x"), ["datasets.scenes.path: 'x' cannot be set", "remove it"]),
        (changed("datasets", "scenes", "classes", value=["one"]), ["datasets.scenes.classes"]),
        (changed("datasets", "scenes", "calibration", value=0), ["datasets.scenes.calibration: 0", "at least 2"]),
        (changed("datasets", "scenes", "pairs", value=0), ["datasets.scenes.pairs: 0", "at least 2"]),
        (
            changed(
                "datasets", value={"s": {"source": "spair", "image_size": 64, "tasks": ["correspondence"], "path": "x"}}
            ),
            ["calibrate_on: 's' is of source spair"],
        ),
        (
            changed(
                "datasets", "p", value={"source": "spair", "image_size": 64, "tasks": ["correspondence"], "pairs": 9}
            ),
            ["datasets.p.pairs: 9 cannot be set for source spair", "datasets.p: missing path"],
        ),
        (changed("models", "sink_s", "sha256", value="abc"), ["models.sink_s.sha256: 'abc'", "{64}"]),
        (
            changed(
                "models",
                "v",
                value={
                    "source": "timm",
                    "family": "v",
                    "scale": "S",
                    "architecture": "vit_tiny_patch16_224",
                    "image_size": 64,
                    "weights": "random",
                    "sha256": "0" * 64,
                },
            ),
            ["models.v.sha256", "cannot be set for random weights"],
        ),
    ],
)
def test_errors_name_key_value_and_allowed(config: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    for words in said:
        assert words in str(caught.value)


def test_every_complaint_is_made_at_once() -> None:
    config = changed("sed", value=1) | {"run": "Not A Name"}
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    assert "'sed'" in str(caught.value) and "'Not A Name'" in str(caught.value)


def test_defaults_are_filled_in_and_written(tmp_path: Path) -> None:
    resolved = resolve(DEMO)
    assert resolved["analysis"] == {
        "draws": 10_000,
        "resamples": 2_000,
        "level": 0.95,
        "families": ["dataset", "task", "readout"],
    }
    assert resolved["datasets"]["scenes"]["shards"] == 1
    assert "analysis" not in DEMO
    save_resolved(resolved, tmp_path / "settings.yaml")
    assert load_settings(tmp_path / "settings.yaml") == settings(resolved)


def test_keys_that_a_source_has_no_use_for_are_not_filled_in(tmp_path: Path) -> None:
    spair = {"source": "spair", "image_size": 64, "tasks": ["correspondence"], "path": "data/spair"}
    resolved = resolve(changed("datasets", "points", value=spair))
    assert resolved["datasets"]["points"] == {**spair, "shards": 1}
    # What is written beside the results can be read again.
    save_resolved(resolved, tmp_path / "settings.yaml")
    assert load_settings(tmp_path / "settings.yaml").datasets["points"].calibration == 0


def test_a_hash_may_be_written_in_capitals() -> None:
    found = settings(resolve(changed("models", "sink_s", "sha256", value="AB" * 32)))
    assert found.models["sink_s"].sha256 == "ab" * 32


def test_every_key_is_described() -> None:
    def walk(schema: dict[str, Any], place: str) -> None:
        for key, below in schema.get("properties", {}).items():
            assert "description" in below, f"{place}.{key}"
            walk(below, f"{place}.{key}")
        if isinstance(schema.get("additionalProperties"), dict):
            walk(schema["additionalProperties"], f"{place}.*")

    walk(yaml.safe_load(SCHEMA.read_text()), "config")
