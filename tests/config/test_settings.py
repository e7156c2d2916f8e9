"""What a config may say, and what it is told when it says something else."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors import safe_open

from config.layout import KNOWN_ANSWER_WEIGHTS, ROOT
from config.register_counts import registers_of
from config.resolve import SCHEMA, ConfigError, resolve, resolve_analysis, unmatched
from config.settings import load_settings, save_resolved, settings
from config.vocabulary.known_answers import KNOWN_ANSWERS

SHIPPED = [path for path in sorted((ROOT / "config").glob("*.yaml")) if path != SCHEMA]
DEMO = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_configs_resolve(path: Path) -> None:
    found = settings(resolve(yaml.safe_load(path.read_text())))
    assert found.run == path.stem
    assert found.analysis.draws == 10_000
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
            ["conditions.x.by: 'zeros'", "zero, mean, noise, resample, shuffle, shuffle_trajectory"],
        ),
        (changed("conditions", "x", value={"tokens": ["patch"], "by": "zero"}), ["conditions.x.tokens.0: 'patch'"]),
        (changed("conditions", "x", value={"tokens": ["cls"]}), ["conditions.x"]),
        (
            changed("conditions", "x", value={"tokens": ["random_patches"], "by": "mean"}),
            ["conditions.x.by: 'mean' needs calibrated tokens", "allowed: zero, shuffle"],
        ),
        (
            changed("conditions", "x", value={"tokens": ["cls"], "by": "zero", "draws": 2}),
            ["conditions.x.draws: 2 is for tokens [random_patches]"],
        ),
        (
            changed("conditions", "x", value={"tokens": ["random_patches", "cls"], "by": "zero"}),
            ["conditions.x.tokens", "replaced alone"],
        ),
        (
            changed("conditions", "zero_random_patches_2", value={"tokens": ["cls"], "by": "zero"}),
            ["two conditions are called zero_random_patches_2"],
        ),
        (
            changed("extraction", value={"curves": {"conditions": ["ful"]}}),
            ["extraction.curves.conditions: ful is not a condition"],
        ),
        (changed("measures", "datasets", value=["images"]), ["measures.datasets: images", "allowed: scenes"]),
        (changed("probe", value={"strengths": []}), ["probe.strengths"]),
        (
            changed("conditions", "x", value={"tokens": ["r2", "r9"], "by": "zero"}),
            ["conditions.x.tokens: no model of this config has r9; allowed: r1 to r4"],
        ),
        (
            changed("datasets", "scenes", "calibration", value=130.0),
            ["datasets.scenes.calibration: 130.0 is a float; needed: integer, such as 130"],
        ),
        (changed("probe", value={"tokens": ["patches"]}), ["probe.tokens.0: 'patches'", "patch_mean"]),
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
        (changed("datasets", "scenes", "pairs", value=401), ["datasets.scenes.pairs: 401", "at most 400"]),
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
            ["datasets.p.tasks: 'classification' needs one class per image", "allowed: correspondence"],
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
        (
            changed("models", "sink_s", "backend", value="timm"),
            ["models.sink_s.backend: 'timm' cannot be set for source known_answer"],
        ),
        (
            changed("models", "sink_s", "backend", value="torch"),
            ["models.sink_s.backend", "official, transformers, timm"],
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
        **DEMO["analysis"],
        "draws": 10_000,
        "resamples": 2_000,
        "level": 0.95,
        "families": ["dataset", "task", "readout"],
        "alpha": 0.05,
        "ranges": {},
        "lower_is_better": [],
    }
    assert resolved["datasets"]["scenes"]["shards"] == 1
    assert set(DEMO["analysis"]) == {"margins", "comparisons", "compressions"}
    save_resolved(resolved, tmp_path / "settings.yaml")
    assert load_settings(tmp_path / "settings.yaml") == settings(resolved)


def test_keys_that_a_source_has_no_use_for_are_not_filled_in(tmp_path: Path) -> None:
    spair = {"source": "spair", "image_size": 64, "tasks": ["correspondence"], "path": "data/spair"}
    resolved = resolve(changed("datasets", "points", value=spair))
    assert resolved["datasets"]["points"] == {**spair, "shards": 1, "shuffle_group": 64}
    # What is written beside the results can be read again.
    save_resolved(resolved, tmp_path / "settings.yaml")
    assert load_settings(tmp_path / "settings.yaml").datasets["points"].calibration == 0


def test_a_hash_may_be_written_in_capitals() -> None:
    found = settings(resolve(changed("models", "sink_s", "sha256", value="AB" * 32)))
    assert found.models["sink_s"].sha256 == "ab" * 32


def test_the_default_comparisons_are_the_articles_three() -> None:
    config = {key: value for key, value in DEMO.items() if key != "analysis"}
    comparisons = resolve(config)["analysis"]["comparisons"]
    assert [(one.get("families"), one.get("scales"), one["conditions"]) for one in comparisons.values()] == [
        (["dinov2_reg", "dinov3"], None, ["zero_registers"]),
        (["dinov2", "dinov2_reg"], None, ["zero_cls"]),
        (None, ["S", "B"], ["zero_registers"]),
    ]


@pytest.mark.parametrize("given", [{}, {"families": ["a", "b"], "scales": ["S", "B"]}])
def test_a_comparison_is_of_families_or_of_scales(given: dict[str, Any]) -> None:
    comparison = {"question": "?", "conditions": ["zero_cls"], **given}
    with pytest.raises(ConfigError, match=r"analysis\.comparisons\.x: (both|neither) of families and scales given"):
        resolve(changed("analysis", "comparisons", value={"x": comparison}))


def test_only_what_a_task_on_records_or_a_measure_reads_is_recorded() -> None:
    photos = yaml.safe_load((ROOT / "config" / "photos.yaml").read_text())
    assert [one.name for one in settings(resolve(photos)).recorded] == ["clothing"]
    photos["measures"]["datasets"] = ["pets", "clothing"]
    assert [one.name for one in settings(resolve(photos)).recorded] == ["clothing", "pets"]


def test_settings_of_an_analysis_alone() -> None:
    found = resolve_analysis({"seed": 3, "analysis": {"draws": 999}})
    assert (found["seed"], found["conditions"], found["analysis"]["draws"]) == (3, {}, 999)
    assert found["analysis"]["level"] == 0.95
    with pytest.raises(ConfigError, match=r"unknown key 'drawz'.*did you mean 'draws'"):
        resolve_analysis({"analysis": {"drawz": 1}})
    with pytest.raises(ConfigError, match="unknown key 'models'"):
        resolve_analysis({"models": {}})


TIMM = {"source": "timm", "scale": "S", "image_size": 224, "weights": "random"}


@pytest.mark.parametrize(
    ("architecture", "registers"),
    [
        ("vit_small_patch14_dinov2.lvd142m", 0),
        ("vit_base_patch14_reg4_dinov2", 4),
        ("vit_medium_patch16_rope_reg1_gap_256", 1),
        ("vit_small_patch16_dinov3_qkvb", 4),
        ("vit_tiny_patch16_224", None),
    ],
)
def test_what_no_model_has_is_a_mistake_or_a_doubt(architecture: str, registers: int | None) -> None:
    """Above the highest register of all models: a mistake. No registers at all: a doubt, for another model may follow.

    Where a name does not tell how many registers a model has, nothing is said before it is built.
    """
    assert registers_of(TIMM | {"architecture": architecture}) == registers
    config = changed("models", value={"m": TIMM | {"family": "m", "architecture": architecture}})
    config["conditions"] = {
        name: DEMO["conditions"][name] for name in ("full", "zero_cls", "zero_registers", "zero_r1")
    }
    del config["analysis"]  # which compares other conditions
    about_registers = [line for line in unmatched(resolve(config)) if "registers" in line]
    nothing = (
        "conditions: no model of this config has registers, so that zero_registers, zero_r1 will measure nothing; add "
        "a model with registers, or remove them"
    )
    assert about_registers == ([nothing] if registers == 0 else [])


def test_the_known_answer_models_have_the_registers_that_the_vocabulary_says() -> None:
    for family, record in KNOWN_ANSWERS.items():
        weights = KNOWN_ANSWER_WEIGHTS / f"{family}_s.safetensors"
        with safe_open(weights, framework="numpy") as file:
            stored = file.get_tensor("reg_token").shape[1] if "reg_token" in file.keys() else 0  # noqa: SIM118
        assert record.registers == stored


def test_every_key_is_described() -> None:
    def walk(schema: dict[str, Any], place: str) -> None:
        for key, below in schema.get("properties", {}).items():
            assert "description" in below, f"{place}.{key}"
            walk(below, f"{place}.{key}")
        if isinstance(schema.get("additionalProperties"), dict):
            walk(schema["additionalProperties"], f"{place}.*")

    walk(yaml.safe_load(SCHEMA.read_text()), "config")


def test_every_draw_of_random_patches_is_a_condition() -> None:
    conditions = settings(resolve(DEMO)).conditions
    drawn = [condition for condition in conditions.values() if condition.of == "zero_random_patches"]
    assert [condition.name for condition in drawn] == [f"zero_random_patches_{draw}" for draw in range(1, 6)]
    assert [condition.draw for condition in drawn] == [1, 2, 3, 4, 5]
    assert all(condition.tokens == ("random_patches",) and condition.patches == 4 for condition in drawn)
    assert "zero_random_patches" not in conditions
