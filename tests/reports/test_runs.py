"""Runs of other shapes, and runs that lack something."""

from __future__ import annotations

import csv
import re
import shutil

import pytest
import yaml

from analysis.figures.style import placeholder
from config.errors import InputError
from reports.build import build, main
from reports.inputs import read_inputs
from reports.project import read_project
from reports.staging import stage

TRAINED = {
    "dinov3_s": {
        "source": "timm",
        "family": "dinov3",
        "scale": "S",
        "architecture": "vit_small_patch16_dinov3",
        "image_size": 224,
        "weights": "/a/place/on/one/machine/dinov3.safetensors",
    }
}
PLAIN = {"plain_s": {"source": "known_answer", "family": "plain", "scale": "S"}}


def rendered_pages(run, page_reader):
    build(run.settings, run.published, "pandoc")
    return {path.stem: page_reader(path) for path in run.report.glob("*.html")}


def test_a_run_without_known_answer_models_says_so(make_run, page_reader):
    pages = rendered_pages(make_run(models=TRAINED), page_reader)
    for name in ("index", "known_answers"):
        assert "This run has no known-answer model" in pages[name].visible
    assert "Measured here: dinov3_s" in pages["index"].visible
    assert "no evidence about DINO" not in pages["index"].visible


def test_a_path_on_one_machine_stays_out_of_the_report(make_run, page_reader):
    for page in rendered_pages(make_run(models=TRAINED), page_reader).values():
        assert "/a/place" not in page.html


def test_two_data_sets_with_different_tasks(make_run, page_reader):
    run = make_run(datasets={"scenes": ("classification", "segmentation"), "photos": ("retrieval",)})
    pages = rendered_pages(run, page_reader)
    results = pages["results"]
    for place, task in (("scenes", "Classification"), ("scenes", "Segmentation"), ("photos", "Retrieval")):
        assert results.table(f"replacements-{place}-{task.lower()}")[0][1:] == [task]
    headings = [heading.text for heading in results.all("h3")]
    assert headings == ["Classification, scenes", "Segmentation, scenes", "Retrieval, photos"]
    assert len(pages["index"].all("figure")) == 1
    assert len(results.all("figure")) == 2


def test_a_run_without_registers_and_without_classification(make_run, page_reader):
    pages = rendered_pages(make_run(models=PLAIN, datasets={"scenes": ("retrieval",)}), page_reader)
    assert "nothing to compare with this table" in pages["results"].visible
    assert "Nothing was checked" in pages["known_answers"].visible
    assert "no figure" in pages["index"].visible


def test_a_run_without_the_inputs_of_a_statistic_says_so(make_run, page_reader):
    text = rendered_pages(make_run(statistics=False), page_reader)["statistics"].visible
    for sentence in (
        "Not available in this run. This comparison needs the families bottleneck and sink on the same units, under "
        "zero_registers.",
        "This run measured no condition other than full.",
        "did not replace both single registers and all of them",
        "This run replaced no random patches",
        "This run measured no effective ranks.",
        "This run measured no attention.",
        "no task with both a matched and a frozen readout",
        "No probe was refitted in this run",
    ):
        assert sentence in text


def test_one_trained_model_is_one(make_run, page_reader):
    visible = rendered_pages(make_run(models=TRAINED), page_reader)["index"].visible
    assert "trained model measured" in visible and "trained models measured" not in visible


def test_figures_with_nothing_to_show_are_sentences(make_run, page_reader):
    """What a run without registers leaves: placeholders, for the workflow asks for every file."""
    run = make_run(models=PLAIN, datasets={"scenes": ("classification",), "photos": ("classification",)})
    empty = ("known_answers", "divergence", "patch_cosine", "attention_to_registers", "nulls", "cumulative")
    for name in empty:
        for dataset in ("scenes", "photos"):
            placeholder("Nothing.", run.settings.parent / "figures" / dataset / f"{name}.svg")
    placeholder("Nothing.", run.settings.parent / "figures" / "photos" / "patch_norms.svg")
    pages = rendered_pages(run, page_reader)
    shown = {figure.attributes["id"] for page in pages.values() for figure in page.all("figure")}
    assert not [ident for ident in shown if ident.startswith(tuple(name.replace("_", "-") for name in empty))]
    assert {"effective-rank-scenes", "effective-rank-photos", "patch-norms-scenes"} <= shown
    assert "patch-norms-photos" not in shown
    for words in (
        "There is no figure for scenes or photos: no replacement of registers was measured inside the layers there.",
        "There is no figure for scenes or photos: no attention to registers was measured there.",
        "There is no figure for photos: no geometry was measured there.",
    ):
        assert words in pages["layers"].visible
    assert "no model was put under a replacement of its registers there" in pages["index"].visible


def test_outliers_of_norm_are_said_with_layer_and_share(make_run, page_reader):
    run = make_run(models=TRAINED)
    path = run.settings.parent / "tables" / "layer_measures.csv"
    rows = [row for row in run.rows("tables/layer_measures.csv") if row["measure"] == "js"]
    means = {0: 0.001, 5: 0.034}
    changed = [row | {"measure": "high_norm_share", "mean": str(means[int(row["layer"])])} for row in rows]
    with path.open("a", encoding="utf-8", newline="") as stream:
        csv.DictWriter(stream, list(rows[0])).writerows(changed)
    page = rendered_pages(run, page_reader)["layers"]
    said = (
        "Under full, 1.0 % or more of the patches are such outliers: dinov3_s first after layer 5, and most after "
        "layer 5 (3.4 % on average)."
    )
    assert said in page.visible
    assert len([image for image in page.all("img") if said in image.attributes["alt"]]) == 1


def test_pages_and_files_of_an_older_report_are_removed(make_run):
    run = make_run()
    (run.report / "old").mkdir(parents=True)
    (run.report / "stale.html").write_text("stale")
    build(run.settings, run.published, "pandoc")
    assert (run.report / "index.html").is_file()
    assert not (run.report / "stale.html").exists()
    assert not (run.report / "old").exists()
    assert [path.name for path in run.report.parent.glob(".*")] == []


def test_a_report_that_fails_leaves_the_old_one(make_run, monkeypatch):
    run = make_run()
    run.report.mkdir()
    (run.report / "index.html").write_text("old")

    def fail(site, output, workers):
        (output / "index.html").write_text("half")
        raise InputError("no")

    monkeypatch.setattr("reports.build.render_with_pandoc", fail)
    with pytest.raises(InputError):
        build(run.settings, run.published, "pandoc")
    assert (run.report / "index.html").read_text() == "old"
    assert [path.name for path in run.report.parent.glob(".*")] == []


def test_the_same_run_gives_the_same_bytes(make_run):
    run = make_run()
    build(run.settings, run.published, "pandoc")
    first = {path.name: path.read_bytes() for path in run.report.glob("*.html")}
    build(run.settings, run.published, "pandoc")
    assert {path.name: path.read_bytes() for path in run.report.glob("*.html")} == first


def test_paths_may_be_relative_as_the_workflow_gives_them(make_run, monkeypatch):
    run = make_run()
    monkeypatch.chdir(run.folder)
    main(["--settings", "run/settings.yaml", "--published", "published", "--renderer", "pandoc"])
    pages = {path.name for path in run.report.glob("*.html")}
    assert {page.file for page in read_project().pages} <= pages


def test_variables_are_text(make_run):
    run = make_run()
    site = run.folder / "site"
    stage(read_inputs(run.settings, run.published), site)
    loaded = yaml.safe_load((site / "_variables.yml").read_text())
    values = [value for group in loaded.values() for value in group.values()]
    assert values
    assert all(isinstance(value, str) for value in values)
    assert loaded["published"]["total"] == "2,034"


@pytest.mark.parametrize(
    "missing",
    [
        "tables/ablation.csv",
        "tables/replacement.csv",
        "tables/known_answers.csv",
        "audit/claims.csv",
        "packs/scenes/pack.yaml",
        "figures/scenes/delta_heatmap.svg",
        "figures/scenes/nulls.svg",
        "tests/comparisons.csv",
    ],
)
def test_a_missing_file_is_named_with_what_makes_it(make_run, message_of, missing):
    run = make_run()
    (run.settings.parent / missing).unlink()
    message = message_of(run.arguments)
    assert missing in message
    assert "snakemake" in message
    assert not run.report.exists()


def test_a_missing_column_is_named(make_run):
    run = make_run()
    path = run.settings.parent / "tables" / "ablation.csv"
    path.write_text(path.read_text().replace("p_holm", "p_other", 1))
    with pytest.raises(InputError, match=r"ablation\.csv: missing column p_holm"):
        build(run.settings, run.published, "pandoc")


def test_published_numbers_without_the_table_are_an_error(make_run):
    run = make_run()
    path = run.published / "tables.csv"
    path.write_text(path.read_text().replace("controls table", "elsewhere"))
    with pytest.raises(InputError, match="controls table"):
        build(run.settings, run.published, "pandoc")


def test_an_unknown_setting_is_named(make_run):
    run = make_run()
    run.settings.write_text(run.settings.read_text().replace("analysis:", "analyses:"))
    with pytest.raises(InputError, match=r"settings\.yaml cannot be used:[\s\S]*'analyses'.*did you mean 'analysis'"):
        build(run.settings, run.published, "pandoc")


def test_the_real_published_numbers_have_the_table(make_run, page_reader):
    from config.layout import PUBLISHED

    run = make_run()
    shutil.rmtree(run.published)
    shutil.copytree(PUBLISHED, run.published)
    build(run.settings, run.published, "pandoc")
    shown = page_reader(run.report / "results.html").table("published-replacements")[2:]
    # As the article prints them: full and shuffle, DINOv2+reg and DINOv3 in turn.
    assert shown[0] == ["Full", "67.3", "62.0", "69.1", "78.9", "71.3", "78.5"]
    assert shown[4] == ["Shuffle", "67.8", "62.0", "68.5", "78.6", "71.2", "78.6"]
    assert re.fullmatch(r"[\d.]+", shown[2][1])
