"""Which renderer is called, how, and what its failure looks like."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from config.errors import InputError
from reports.build import build, main
from reports.inputs import read_inputs
from reports.staging import stage
from reports.with_pandoc import render_with_pandoc

FAKE = """#!{python}
import json, pathlib, sys
place = pathlib.Path({folder!r})
(place / "call.json").write_text(json.dumps({{"arguments": sys.argv[1:], "folder": str(pathlib.Path.cwd())}}))
{body}
"""
RENDERS = """
site = pathlib.Path("_site")
site.mkdir()
for page in pathlib.Path(".").glob("*.qmd"):
    (site / (page.stem + ".html")).write_text("by Quarto")
"""


@pytest.fixture
def fake_quarto(tmp_path, monkeypatch):
    """Put a `quarto` with the given body first on PATH; return the file that records its call."""

    def put(body):
        folder = tmp_path / "bin"
        folder.mkdir()
        quarto = folder / "quarto"
        quarto.write_text(FAKE.format(python=sys.executable, folder=str(tmp_path), body=body))
        quarto.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return tmp_path / "call.json"

    return put


@pytest.mark.parametrize("renderer", ["auto", "quarto"])
def test_quarto_renders_the_staged_project_where_it_is_found(make_run, fake_quarto, renderer):
    record = fake_quarto(RENDERS)
    run = make_run()
    build(run.settings, run.published, renderer)
    call = json.loads(record.read_text())
    assert call["arguments"] == ["render", ".", "--to", "html", "--no-execute"]
    assert call["folder"] == str((run.settings.parent / "site").resolve())
    assert (run.report / "index.html").read_text() == "by Quarto"
    assert (run.report / "tables" / "ablation.csv").is_file()


def test_quarto_may_be_given_relative_paths(make_run, fake_quarto, monkeypatch):
    fake_quarto(RENDERS)
    run = make_run()
    monkeypatch.chdir(run.folder)
    main(["--settings", "run/settings.yaml", "--published", "published"])
    assert (run.report / "index.html").read_text() == "by Quarto"


def test_pandoc_renders_where_it_is_asked_for(make_run, fake_quarto):
    record = fake_quarto(RENDERS)
    run = make_run()
    build(run.settings, run.published, "pandoc")
    assert not record.exists()


def test_pandoc_renders_where_there_is_no_quarto(make_run, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    run = make_run()
    main(run.arguments)
    assert "Pandoc" in capsys.readouterr().out


def test_a_failing_quarto_is_reported_with_its_own_words(make_run, fake_quarto, message_of):
    fake_quarto("print('ERROR: the reason'); sys.exit(3)")
    run = make_run()
    message = message_of(run.arguments)
    for part in ("exit code 3", "ERROR: the reason", "--renderer pandoc"):
        assert part in message
    assert not run.report.exists()


def test_a_quarto_that_leaves_out_pages_is_reported(make_run, fake_quarto, message_of):
    fake_quarto("")
    run = make_run()
    assert "lacks index.html" in message_of(run.arguments)


def test_quarto_asked_for_and_not_found(make_run, monkeypatch, tmp_path, message_of):
    monkeypatch.setenv("PATH", str(tmp_path))
    run = make_run()
    assert "Install Quarto" in message_of([*run.arguments, "--renderer", "quarto"])


@pytest.mark.parametrize(
    ("addition", "said"),
    [("As shown [@nobody1900].", "nobody1900"), ("![A figure](nowhere.svg)", "nowhere.svg")],
)
def test_pandoc_does_not_pass_over_what_it_cannot_resolve(make_run, tmp_path, addition, said):
    run = make_run()
    site = run.folder / "site"
    stage(read_inputs(run.settings, run.published), site)
    with (site / "methods.qmd").open("a") as page:
        page.write(f"\n\n{addition}\n")
    with pytest.raises(InputError, match=rf"methods\.qmd: Pandoc failed[\s\S]*{said}"):
        render_with_pandoc(site, tmp_path)


def test_the_module_runs_by_itself():
    from config.layout import ROOT

    done = subprocess.run(
        [sys.executable, "-m", "reports.build", "--help"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0
    assert "--renderer" in done.stdout


@pytest.mark.skipif(shutil.which("quarto") is None, reason="no quarto on PATH; Pandoc renders instead")
def test_the_real_quarto_renders_the_pages(make_run, page_reader):
    run = make_run()
    build(run.settings, run.published, "quarto")
    for path in run.report.glob("*.html"):
        html = path.read_text(encoding="utf-8")
        assert "?@" not in html
        assert "{{<" not in html
        assert '<table id="' in html or path.name == "index.html"
