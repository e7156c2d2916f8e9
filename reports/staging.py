"""Staging of the website's sources: pages, generated files, variables, figures and downloads."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from reports import findings
from reports.generated import generated
from reports.inputs import Inputs
from reports.project import page_sources
from reports.variables import Variables, variables

GENERATED = "_generated"
VARIABLES = "_variables.yml"


def stage(inputs: Inputs, folder: Path) -> None:
    """Fill `folder` with everything that a renderer reads, after removing its previous content."""
    if folder.exists():
        shutil.rmtree(folder)
    (folder / GENERATED).mkdir(parents=True)
    for source in page_sources():
        shutil.copyfile(source, folder / source.name)
    for name, text in generated(inputs).items():
        (folder / GENERATED / name).write_text(text, encoding="utf-8")
    for name, text in findings.pages(inputs):
        (folder / name).write_text(text, encoding="utf-8")
    (folder / VARIABLES).write_text(_as_yaml(variables(inputs)), encoding="utf-8")
    copy_files(inputs.downloads(), folder)


def copy_files(files: Mapping[str, Path], folder: Path) -> None:
    """Copy `files` (place → file) under `folder`."""
    for place, file in files.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def _as_yaml(values: Variables) -> str:
    # Every value is quoted, so that no renderer reads `0` as a number or `0.10` as 0.1.
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_style='"')
