"""Bad inputs of every kind, through the command lines that meet them: told by file and remedy, never by a traceback.

In one process, since starting Python takes longer than most of them.
"""

import copy
import json
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file

import analysis.__main__
import analysis.audit.run
import extract.calibration
import extract.run
from config.errors import report_errors
from config.files import NotWritable, write_whole
from config.layout import KNOWN_ANSWER_WEIGHTS, Run
from extract.datasets import prepare
from extract.datasets.listing import in_keyed_order
from tests.extract.sources import noise, palette_mask, spair_folder, voc_folder

WEIGHTS = KNOWN_ANSWER_WEIGHTS / "open_s.safetensors"
CONFIG: dict[str, Any] = {
    "run": "bad",
    "models": {"m": {"source": "known_answer", "family": "open", "scale": "S"}},
    "datasets": {
        "d": {
            **{"source": "scenes", "image_size": 64, "tasks": ["retrieval"]},
            **{"calibration": 4, "train": 10, "test": 6, "pairs": 4},
        }
    },
    "conditions": {"full": {}, "zero_registers": {"tokens": ["registers"], "by": "zero"}},
    "measures": {"images": 0},
}


@dataclass(frozen=True)
class Place:
    """Where a case writes its bad input."""

    folder: Path

    @property
    def settings(self) -> Path:
        return self.folder / "run" / "settings.yaml"

    def config(self, changes: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the config with some keys changed, as ``datasets.d.pairs``, and return it."""
        config = copy.deepcopy(CONFIG)
        for key, value in (changes or {}).items():
            *sections, last = key.split(".")
            inner = config
            for section in sections:
                inner = inner.setdefault(section, {})
            inner[last] = value
        self.settings.parent.mkdir(exist_ok=True)
        self.settings.write_text(yaml.safe_dump(config))
        return config

    def prepare(self, **changes: Any) -> "Call":
        """Prepare the data set of the config, changed where asked for."""
        self.config({key.replace("__", "."): value for key, value in changes.items()})
        return Call(prepare.main, ("--settings", str(self.settings), "--dataset", "d"))

    def of_source(self, source: str, **dataset: Any) -> "Call":
        """Prepare ``data/`` as a data set of a source."""
        tasks = {"class_folders": "classification", "voc": "segmentation", "spair": "correspondence"}
        stated = {"source": source, "image_size": 16, "tasks": [tasks[source]], "path": str(self.folder / "data")}
        if source != "spair":
            stated |= {"calibration": 2, "pairs": 2}
        if source == "voc":
            stated["classes"] = ["background", "left", "right"]
        calibrated = {"calibrate_on": "other", "datasets__other": CONFIG["datasets"]["d"]}
        return self.prepare(datasets__d=stated | dataset, **calibrated)

    def calibrate(self, **model: Any) -> "Call":
        """Calibrate the model of the config, changed where asked for."""
        stated = {**CONFIG["models"]["m"], **model}
        self.config({"models.m": {key: value for key, value in stated.items() if value is not None}})
        return Call(extract.calibration.main, ("--settings", str(self.settings), "--model", "m"))

    def classes(self, *split: str, n: int = 6) -> Path:
        """Write two classes of images, and return their folder."""
        root = self.folder.joinpath("data", *split)
        for name in ("ant", "bee"):
            (root / name).mkdir(parents=True)
            for k in range(n):
                noise(k, 20, 20).save(root / name / f"{k}.png")
        return root

    def outcomes(self, **columns: Any) -> "Call":
        """Analyse a file of outcomes with some columns changed, or taken away where None."""
        units = [f"u{k}" for k in range(12)]
        table = {
            **{"dataset": "d", "task": "t", "model": "m", "family": "f", "scale": "S", "condition": "full"},
            **{"readout": "direct", "unit": units, "category": "", "numerator": 1.0, "denominator": 1.0, **columns},
        }
        folder = self.folder / "outcomes"
        folder.mkdir()
        frame = pd.DataFrame({name: values for name, values in table.items() if values is not None})
        frame.to_csv(folder / "mine.csv", index=False)
        return self.analyse()

    def analyse(self) -> "Call":
        out = str(self.folder / "analysed")
        return Call(lambda: analysis.__main__.main([str(self.folder / "outcomes"), "--out", out]))


@dataclass(frozen=True)
class Call:
    """A command line: its function, and its arguments where it reads those of the process."""

    main: Callable[[], None]
    arguments: tuple[str, ...] = ()


Case = tuple[Callable[[Place], Call], tuple[str, ...]]
CASES: dict[str, Case] = {}


def case(*said: str) -> Callable[[Callable[[Place], Call]], None]:
    """Register a bad input with what must be said of it: the file or key, the fault, the remedy."""

    def register(bad: Callable[[Place], Call]) -> None:
        CASES[bad.__name__.replace("_", " ")] = bad, said

    return register


# Configs.


@case("settings.yaml is missing", "correct the path")
def no_settings(at: Place) -> Call:
    return Call(prepare.main, ("--settings", str(at.settings), "--dataset", "d"))


def written(at: Place, content: bytes) -> Call:
    call = at.prepare()
    at.settings.write_bytes(content)
    return call


@case("settings.yaml: cannot be read as YAML", "line 2")
def not_yaml(at: Place) -> Call:
    return written(at, b"run: [bad\nseed: }")


@case("settings.yaml: holds no keys, but list", "needed: a mapping of keys")
def a_list_for_a_config(at: Place) -> Call:
    return written(at, b"- run\n- seed\n")


@case("settings.yaml: cannot be read as YAML", "correct it, or save it in UTF-8")
def a_config_in_latin_1(at: Place) -> Call:
    return written(at, "title: Köpfe\n".encode("latin-1"))


@case("settings.yaml", "unknown key 'sed' (value 3)", "did you mean 'seed'")
def an_unknown_key(at: Place) -> Call:
    return at.prepare(sed=3)


@case("settings.yaml", "datasets.d.calibration: 130.0 is a float; needed: integer, such as 130")
def a_float_for_an_integer(at: Place) -> Call:
    return at.prepare(datasets__d__calibration=130.0)


@case("settings.yaml", "analysis.margins.default.margin: nan is no number; needed: number")
def a_margin_that_is_no_number(at: Place) -> Call:
    return at.prepare(analysis__margins={"default": {"margin": float("nan"), "reason": "?"}})


@case("settings.yaml", "conditions.x.by: 'zreo' is not known (did you mean 'zero'?)", "allowed: zero, mean")
def an_unknown_replacement(at: Place) -> Call:
    return at.prepare(conditions__x={"tokens": ["cls"], "by": "zreo"})


@case("settings.yaml", "conditions.x.tokens: no model of this config has r9", "allowed: r1 to r4")
def a_register_that_no_model_has(at: Place) -> Call:
    return at.prepare(conditions__x={"tokens": ["r9"], "by": "zero"})


@case("settings.yaml", "models.m.family: 'opne' is no known-answer family", "allowed: plain, open")
def an_unknown_family(at: Place) -> Call:
    return at.prepare(models__m__family="opne")


@case("settings.yaml", "conditions: missing full")
def no_full(at: Place) -> Call:
    return at.prepare(conditions={"x": {"tokens": ["cls"], "by": "zero"}})


@case("settings.yaml", "datasets.d.pairs: 7 is more than the 6 test images", "allowed: at most 6")
def more_pairs_than_images(at: Place) -> Call:
    return at.prepare(datasets__d__pairs=7)


@case("settings.yaml", "calibrate_on: 'e' is not a data set of this config; allowed: d")
def calibration_on_nothing(at: Place) -> Call:
    return at.prepare(calibrate_on="e")


@case("settings.yaml", "run: '../up' is not allowed", "needed: text that matches")
def a_run_that_leads_out_of_results(at: Place) -> Call:
    return at.prepare(run="../up")


# Class folders.


@case("datasets.d.path: there is no folder", "data; set the key to")
def no_folder(at: Place) -> Call:
    return at.of_source("class_folders")


@case("bee: no image in this class folder; remove it or fill it")
def an_empty_class(at: Place) -> Call:
    for file in (at.classes() / "bee").iterdir():
        file.unlink()
    return at.of_source("class_folders", test_share=0.5)


@case("bee: no image in this class folder", "6 files are left out", "6 .heic; the first is bee/0.heic. Convert them")
def a_class_of_another_format(at: Place) -> Call:
    for file in sorted((at.classes() / "bee").iterdir()):
        file.rename(file.with_suffix(".heic"))
    return at.of_source("class_folders", test_share=0.5)


@case("data: classes cat are in test/ but not in train/; add images to train/")
def a_class_that_is_never_trained(at: Place) -> Call:
    at.classes("train")
    (at.classes("test") / "bee").rename(at.folder / "data" / "test" / "cat")
    return at.of_source("class_folders")


def replaced(at: Place, content: bytes) -> Call:
    (at.classes() / "bee" / "3.png").write_bytes(content)
    return at.of_source("class_folders", test_share=0.5)


@case("bee/3.png: not a readable image", "remove or replace it")
def an_image_cut_short(at: Place) -> Call:
    noise(0, 20, 20).save(at.folder / "whole.png")
    return replaced(at, (at.folder / "whole.png").read_bytes()[:300])


@case("bee/3.png: not a readable image", "remove or replace it")
def an_empty_image(at: Place) -> Call:
    return replaced(at, b"")


@case("bee/3.png: not a readable image", "remove or replace it")
def a_web_page_for_an_image(at: Place) -> Call:
    return replaced(at, b"<html>404</html>")


def drawn(at: Place, image: Image.Image, suffix: str = "png") -> Call:
    file = at.classes() / "bee" / "3.png"
    file.unlink()
    image.save(file.with_suffix(f".{suffix}"))
    return at.of_source("class_folders", test_share=0.5)


@case("bee/3.png: the image is 1 × 1 pixels", "remove or replace it")
def a_pixel(at: Place) -> Call:
    return drawn(at, Image.new("RGB", (1, 1)))


@case("bee/3.png: the image is 3 × 900 pixels", "remove or replace it")
def a_stripe(at: Place) -> Call:
    return drawn(at, Image.new("RGB", (3, 900)))


@case("bee/3.tiff: the image is of mode F", "save it in 8 or 16 bits")
def an_image_of_floats(at: Place) -> Call:
    return drawn(at, Image.fromarray(np.full((20, 20), 0.5, np.float32)), "tiff")


@case("datasets.d.calibration: 9 of 7 images leave too few to train probes on; allowed: at most 5")
def calibration_takes_all(at: Place) -> Call:
    at.classes("test")
    for file in sorted((at.classes("train") / "ant").iterdir())[1:]:
        file.unlink()
    return at.of_source("class_folders", calibration=9)


@case(
    *("datasets.d.calibration: 5 of 7 training images leave nothing to train on of 1 of 2 classes, the first bee",),
    *("which has 1 (", "train/bee); allowed: at most ", ", or add images to these classes"),
)
def calibration_takes_a_class(at: Place) -> Call:
    at.classes("test")
    root = at.classes("train")
    # Of all bees the one that comes first, and is taken first.
    files = in_keyed_order([*root.glob("*/*")], at.folder / "data", 0)
    kept = next(file for file in files if file.parent.name == "bee")
    for file in (root / "bee").iterdir():
        if file != kept:
            file.unlink()
    return at.of_source("class_folders", calibration=5)


@case("datasets.d.test_share: 0.5 for", "holds train/ and test/ already; remove the key")
def a_share_of_what_is_split(at: Place) -> Call:
    at.classes("train")
    at.classes("test")
    return at.of_source("class_folders", test_share=0.5)


@case("data/test/bee: the same folder as", "data/train/bee, through a link; remove one of them")
def a_class_that_trains_and_is_tested(at: Place) -> Call:
    root = at.classes("train")
    (at.folder / "data" / "test" / "ant").mkdir(parents=True)
    noise(0, 20, 20).save(at.folder / "data" / "test" / "ant" / "0.png")
    (at.folder / "data" / "test" / "bee").symlink_to(root / "bee")
    return at.of_source("class_folders")


# Masks.


def listed(at: Place, content: bytes) -> Call:
    (voc_folder(at.folder / "data") / "ImageSets" / "Segmentation" / "val.txt").write_bytes(content)
    return at.of_source("voc")


@case("val.txt: line 2 is no UTF-8", "`iconv -f LATIN1 -t UTF-8 val.txt`")
def a_list_in_latin_1(at: Place) -> Call:
    return listed(at, "val_0\nKöpfe\n".encode("latin-1"))


@case("val.txt: 2 of 2 images, the first val_0.jpg, are not in", "without suffix", "take its suffix away")
def a_list_with_suffixes(at: Place) -> Call:
    return listed(at, b"val_0.jpg\nval_1.jpg\n")


@case("val.txt: 2 of 2 images, the first val_0 1, are not in", "take what follows the first space away")
def a_list_of_two_columns(at: Place) -> Call:
    return listed(at, b"val_0 1\nval_1 -1\n")


@case("val.txt: 1 of 3 images, the first val_9, are not in", "take them off the list")
def a_listed_image_that_is_missing(at: Place) -> Call:
    return listed(at, b"val_0\nval_1\nval_9\n")


@case("val.txt: val_1 is listed twice; list it once")
def an_image_listed_twice(at: Place) -> Call:
    return listed(at, b"val_0\nval_1\nval_1\n")


@case("val.txt: val_0 stands for val_0.jpg and val_0.png", "remove all but one of them")
def two_images_of_one_name(at: Place) -> Call:
    noise(0, 20, 24).save(voc_folder(at.folder / "data") / "JPEGImages" / "val_0.png")
    return at.of_source("voc")


def masked(at: Place, mask: Image.Image | None) -> Call:
    file = voc_folder(at.folder / "data") / "SegmentationClass" / "val_2.png"
    file.unlink()
    if mask is not None:
        mask.save(file)
    return at.of_source("voc")


@case("val_2.png: this mask is missing; add it, or take its image off the list")
def a_mask_that_is_missing(at: Place) -> Call:
    return masked(at, None)


@case("val_2.png: the mask is of mode RGB", "needed: a PNG with a palette or 8-bit grey")
def a_mask_of_colours(at: Place) -> Call:
    return masked(at, noise(0, 20, 24))


@case("val_2.png: the mask is 12 × 10 pixels and its image", "val_2.jpg is 24 × 20; they must be of one size")
def a_mask_of_another_size(at: Place) -> Call:
    return masked(at, palette_mask(np.zeros((10, 12))))


@case("val_2.png: the mask holds 3; allowed: 0 to 2", "Is the key classes of this data set complete?")
def a_mask_of_more_classes(at: Place) -> Call:
    return masked(at, palette_mask(np.full((20, 24), 3)))


@case("val_2.png: the EXIF of its image", "val_2.jpg turns it (orientation 3)", "`mogrify -auto-orient val_2.jpg`")
def an_image_turned_beside_its_mask(at: Place) -> Call:
    file = voc_folder(at.folder / "data") / "JPEGImages" / "val_2.jpg"
    exif = Image.Exif()
    exif[0x0112] = 3
    noise(0, 20, 24).save(file, exif=exif)
    return at.of_source("voc")


# Key points.


def annotated(at: Place, change: Callable[[dict[str, Any]], object]) -> Call:
    file = next((spair_folder(at.folder / "data", {"cat": 3}, pairs=1) / "PairAnnotation" / "test").glob("*.json"))
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    return at.of_source("spair")


@case("000000-0-1:cat.json: not an annotation, but a list; put the original file there")
def an_annotation_that_is_a_list(at: Place) -> Call:
    return annotated(at, lambda stated: [stated])


@case("000000-0-1:cat.json: trg_bndbox [1, 2, 3] is no box; needed: left, top, right, bottom")
def a_box_of_three(at: Place) -> Call:
    return annotated(at, lambda stated: stated | {"trg_bndbox": [1, 2, 3]})


@case("000000-0-1:cat.json: src_kps is no list of x, y pairs; put the original file there")
def points_that_are_none(at: Place) -> Call:
    return annotated(at, lambda stated: stated | {"src_kps": [[1, 2], [3]]})


@case("cat/0.jpg: not a readable image", "SPair-71k's test pairs need it")
def a_missing_image_of_a_pair(at: Place) -> Call:
    call = annotated(at, lambda stated: stated)
    (at.folder / "data" / "JPEGImages" / "cat" / "0.jpg").unlink()
    return call


# Weights, models and results.


class Code:
    """What a pickle may hold: a call of anything."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("echo run > ran",)


@case("models.m.weights:", "w.pth is damaged, cut short or no checkpoint", "prefer .safetensors")
def a_pickle_with_code(at: Place) -> Call:
    (at.folder / "w.pth").write_bytes(pickle.dumps({"model": Code()}, protocol=2))
    return at.calibrate(weights=str(at.folder / "w.pth"))


@case("models.m.weights:", "w.safetensors is damaged, cut short or no checkpoint", "fetch it again")
def weights_cut_short(at: Place) -> Call:
    (at.folder / "w.safetensors").write_bytes(WEIGHTS.read_bytes()[:5000])
    return at.calibrate(weights=str(at.folder / "w.safetensors"))


@case(
    "models.m.sha256:", "open_s.safetensors has the hash", "fetch it again, or, where it is the one you mean, correct"
)
def weights_of_another_hash(at: Place) -> Call:
    return at.calibrate(weights=str(WEIGHTS), sha256="0" * 64)


@case("models.m:", "open_s.safetensors does not fit plain", "Is it the checkpoint of another architecture or size?")
def weights_of_another_model(at: Place) -> Call:
    return at.calibrate(weights=str(WEIGHTS), family="plain")


@case("models.m: parameter cls_token holds NaN or infinite values", "the checkpoint is damaged")
def weights_that_are_no_numbers(at: Place) -> Call:
    state = load_file(WEIGHTS)
    save_file(state | {"cls_token": state["cls_token"] * torch.nan}, at.folder / "w.safetensors")
    return at.calibrate(weights=str(at.folder / "w.safetensors"))


@case("conditions.many.patches: 65 are more than the 8 × 8 patches of this model; allowed: at most 64")
def more_random_patches_than_there_are(at: Place) -> Call:
    at.config({"conditions.many": {"tokens": ["random_patches"], "by": "zero", "patches": 65}})
    named = ("--settings", str(at.settings))

    def main() -> None:
        for run, argument in ((prepare.main, ("--dataset", "d")), (extract.calibration.main, ("--model", "m"))):
            sys.argv = ["python", *named, *argument]
            run()
        sys.argv = ["python", *named, "--model", "m", "--dataset", "d"]
        extract.run.main()

    return Call(main)


@case("images.npy: cannot be written", "Make that folder writable")
def results_that_are_a_file(at: Place) -> Call:
    call = at.prepare()
    (at.settings.parent / "packs").write_text("in the way")
    return call


# Outcomes made elsewhere, and claims.


@case("mine.csv: missing column 'numerator'", "docs/outcomes.md lists the columns")
def outcomes_without_a_column(at: Place) -> Call:
    return at.outcomes(numerator=None)


@case("mine.csv: column 'numerator': above the denominator", "were the two swapped?")
def more_right_than_asked(at: Place) -> Call:
    return at.outcomes(numerator=2.0)


@case("outcomes", "no file that ends in", "Is the path right?")
def a_folder_without_outcomes(at: Place) -> Call:
    (at.folder / "outcomes").mkdir()
    return at.analyse()


@case("mine.csv: cannot be read as csv", "Save it in UTF-8")
def outcomes_in_latin_1(at: Place) -> Call:
    call = at.outcomes(model="Köpfe")
    file = at.folder / "outcomes" / "mine.csv"
    file.write_bytes(file.read_text(encoding="utf-8").encode("latin-1"))
    return call


@case("article has no published numbers: expected at least one of tables.csv, figures.csv, interactive.csv")
def no_claims(at: Place) -> Call:
    (at.folder / "article").mkdir()
    return Call(lambda: analysis.audit.run.main([str(at.folder / "article"), "--out", str(at.folder / "audited")]))


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_told_with_file_and_remedy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    bad, said = CASES[name]
    call = bad(Place(tmp_path))
    monkeypatch.setattr(sys, "argv", ["python", *call.arguments])
    with pytest.raises(SystemExit) as stopped:
        report_errors(call.main)
    assert stopped.value.code == 2
    told = capsys.readouterr().err.rpartition("error: ")[2]
    for words in said:
        assert words in told
    # In a sentence or two, and of the input: no words of ours or of other packages' insides.
    assert "Traceback" not in told and "weights_only" not in told
    assert not (tmp_path / "ran").exists()


def test_there_are_forty_of_them() -> None:
    assert len(CASES) >= 40


def test_results_that_are_read_only_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By asking the system, which lets the administrator write everywhere but to a disk that is mounted read-only."""
    run = Run(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "tables")
    with pytest.raises(NotWritable, match=r"ablation\.csv: cannot be written \(Permission denied: .*tables\)\. Make"):
        write_whole(run.table("ablation"), b"")
    write_whole(run.test("comparisons"), b"")
