"""What a run needs and does not make is asked for before anything runs."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from snakemake.cli import get_argument_parser

from config.inputs import folder_of_tests, missing_data, require_inputs
from config.layout import ROOT, Run
from config.resolve import ConfigError, resolve
from config.settings import Settings, settings
from config.vocabulary.sources import SOURCES


def paper() -> Settings:
    return settings(resolve(yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())))


def test_the_article_is_what_the_config_says() -> None:
    found = paper()
    assert {(model.family, model.scale) for model in found.models.values()} == {
        (family, scale) for family in ("dinov2", "dinov2_reg", "dinov3") for scale in "SB"
    }
    assert {model.weights for model in found.models.values()} == {"hub"}
    assert {model.image_size for model in found.models.values()} == {224}
    assert found.conditions["zero_r1_r3"].tokens == ("r1", "r2", "r3")
    assert found.datasets["imagenet"].test_share == 0.2 and found.datasets["imagenet"].pairs == 2000
    assert found.extraction.device == "cuda"


def test_everything_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    found = paper()
    datasets = {name: replace(each, path=tmp_path / name) for name, each in found.datasets.items()}
    models = {
        name: replace(each, weights=str(tmp_path / "w.pth") if name == "dinov3_s" else each.weights)
        for name, each in found.models.items()
    }
    found = replace(found, datasets=datasets, models=models)
    (tmp_path / "spair" / "JPEGImages").mkdir(parents=True)
    run = Run(tmp_path / "results")
    with pytest.raises(ConfigError) as caught:
        require_inputs(found, run)
    for words in (
        f"datasets.imagenet.path: there is no folder {tmp_path / 'imagenet'}; set the key to the folder that holds IL",
        f"datasets.voc.path: there is no folder {tmp_path / 'voc'}; set the key to the folder that holds JPEGImages,",
        f"datasets.spair.path: {tmp_path / 'spair'} lacks PairAnnotation/test, Layout/large/test.txt; set the key to",
        f"models.dinov3_s.weights: there is no file {tmp_path / 'w.pth'}; set the key to a .safetensors or .pth file",
    ):
        assert words in str(caught.value)

    (tmp_path / "w.pth").touch()
    for name in ("imagenet", "voc", "spair"):
        for part in SOURCES[name].layout:
            (tmp_path / name / part).mkdir(parents=True, exist_ok=True)
    require_inputs(found, run)

    # What is packed already is not needed any more.
    shutil.rmtree(tmp_path / "imagenet")
    with pytest.raises(ConfigError, match=r"datasets\.imagenet\.path"):
        require_inputs(found, run)
    run.pack("imagenet").facts.parent.mkdir(parents=True)
    run.pack("imagenet").facts.touch()
    require_inputs(found, run)


def test_scenes_need_no_folder() -> None:
    demo = settings(resolve(yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())))
    assert missing_data(demo.datasets["scenes"]) is None


def test_snakemake_says_so_before_anything_runs(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    for name, dataset in config["datasets"].items():
        dataset["path"] = str(tmp_path / "nowhere" / name)
    (tmp_path / "paper.yaml").write_text(yaml.safe_dump(config | {"run": "not_there"}, sort_keys=False))
    command = ["-m", "snakemake", "--configfile", str(tmp_path / "paper.yaml"), "--dry-run", "--cores", "1"]
    plan = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    assert plan.returncode != 0
    for name in ("imagenet", "voc", "spair"):
        assert f"datasets.{name}.path: there is no folder {tmp_path / 'nowhere' / name}" in plan.stdout + plan.stderr
    assert "Traceback" not in plan.stdout + plan.stderr
    assert not (ROOT / "results" / "not_there").exists()


@pytest.mark.parametrize("profile", ["default", "slurm"])
def test_profiles_hold_options_that_snakemake_has(profile: str) -> None:
    keys = yaml.safe_load((ROOT / "profiles" / profile / "profile.yaml").read_text())
    known = {option for action in get_argument_parser()._actions for option in action.option_strings}
    assert {f"--{key}" for key in keys} <= known


def test_the_tars_of_imagenet_are_required_and_class_folders_may_be_tested_on_val(tmp_path: Path) -> None:
    listed = replace(paper().datasets["imagenet"], path=tmp_path)
    (tmp_path / "ILSVRC2012_img_val.tar").touch()
    assert "lacks ILSVRC2012_devkit_t12.tar.gz; set the key" in str(missing_data(listed))
    folders = replace(listed, source="class_folders", test_share=None)
    (tmp_path / "train").mkdir()
    assert "lacks test or val; set the key to the folder that holds train, test or val" in str(missing_data(folders))
    assert folder_of_tests(tmp_path) == tmp_path / "test"
    (tmp_path / "val").mkdir()
    assert missing_data(folders) is None and folder_of_tests(tmp_path) == tmp_path / "val"
    (tmp_path / "test").mkdir()
    assert folder_of_tests(tmp_path) == tmp_path / "test"


def test_imagenet_needs_a_share_to_test_on() -> None:
    config = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    del config["datasets"]["imagenet"]["test_share"]
    with pytest.raises(ConfigError, match=r"datasets\.imagenet: missing test_share; needed for source imagenet"):
        resolve(config)
