"""Tables of what a run consists of: data sets, models, conditions; and its signature."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from config.layout import ROOT
from config.settings import Condition
from config.vocabulary.tokens import RANDOM_PATCHES
from reports.inputs import Inputs
from reports.numbers import MISSING, count, percent
from reports.table import Body, Column, Markup, Row, Table, escaped

SIGNED_PACKAGES = ("torch", "timm", "numpy", "scipy", "statsmodels", "pandas", "snakemake", "pypandoc-binary")
_SOURCES = {
    "scenes": "scenes drawn by this project",
    "class_folders": "images in class folders",
    "voc": "images with class masks, Pascal VOC layout",
    "images": "unlabelled images",
    "spair": "annotated image pairs of SPair-71k",
}
_REPLACEMENTS = {
    "zero": "zeros",
    "mean": "the calibration mean of that layer and token",
    "noise": "Gaussian noise of the calibration mean and variance of that layer and token",
    "resample": "a Gaussian draw with the calibration mean and the whole covariance of that layer and token",
    "shuffle": "the same row of another image, another donor at every layer",
    "shuffle_trajectory": "the same row of another image, one donor for all layers",
}
_TOKENS = {"cls": "CLS"}


def dataset_table(inputs: Inputs) -> Table:
    """Images and classes of every split, as the packs hold them."""
    bodies = []
    for name, pack in inputs.packs.items():
        source = _SOURCES.get(str(pack.get("source")), str(pack.get("source", "")))
        facts = [source, f"{pack['image_size']} px"] if "image_size" in pack else [source]
        rows = [
            Row((split, count(int(held["images"])), count(int(held["classes"]))))
            for split, held in pack["splits"].items()
        ]
        rows.append(Row(("all images", count(int(pack["images"])), count(int(pack["classes"]))), classes="total"))
        if pack.get("pairs"):
            rows.append(Row(("image pairs", count(int(pack["pairs"])), MISSING)))
        bodies.append(
            Body(
                tuple(rows),
                Markup(f"<b>{escaped(name)}</b> <small>{escaped(' · '.join(facts))}</small>"),
            )
        )
    return Table(
        ident="data-sets-table",
        caption="Data sets of this run",
        columns=(Column("Split"), Column("Images", "number"), Column("Classes", "number")),
        bodies=tuple(bodies),
        classes="narrow",
    )


def dataset_notes(inputs: Inputs) -> str:
    """Class names and chance level of every data set, and where calibration is from, as HTML."""
    lines = []
    for name, pack in inputs.packs.items():
        chance = "chance is undefined, since nothing is classified"
        if pack["chance"] is not None:
            low, high = (percent(str(pack["chance"][end])) for end in ("low", "high"))
            chance = f"chance is {low} %" if low == high else f"chance is {low} to {high} %"
        names = ", ".join(str(label) for label in pack.get("class_names", ()))
        listed = f" Classes: {escaped(names)}." if names else ""
        lines.append(f"<p><b>{escaped(name)}</b>: {chance}.{listed}</p>")
    if "calibrate_on" in inputs.settings:
        lines.append(
            "<p>Replacement means and variances come from the calibration split of "
            f"<b>{escaped(str(inputs.settings['calibrate_on']))}</b>.</p>"
        )
    return "\n".join(lines)


def model_table(inputs: Inputs) -> Table:
    """Models, where they come from and what their weights are."""
    rows = tuple(
        Row(
            (
                Markup(f"<code>{escaped(name)}</code>"),
                str(model["family"]),
                str(model["scale"]),
                _architecture(model),
                weights(model),
            )
        )
        for name, model in inputs.models.items()
    )
    return Table(
        ident="models-table",
        caption="Models of this run",
        columns=(
            Column("Model"),
            Column("Family"),
            Column("Scale"),
            Column("Architecture"),
            Column("Weights", "prose"),
        ),
        bodies=(Body(rows),),
    )


def _architecture(model: Any) -> str:
    return str(model.get("architecture") or "ViT of this project")


def weights(model: Any) -> str:
    """Where a model's weights come from; a path is reported by its name alone."""
    stated = model.get("weights")
    if stated is None:
        return "trained by this project, committed with it"
    if stated == "random":
        return "random: says nothing of the trained model"
    if stated == "hub":
        return "published, from the model hub"
    return f"file {Path(str(stated)).name}"


def condition_table(inputs: Inputs) -> Table:
    """Conditions: which token rows are replaced, and by what."""
    rows = []
    for name, condition in inputs.settings["conditions"].items():
        tokens = [_tokens(token, condition) for token in (condition or {}).get("tokens", ())]
        by = (condition or {}).get("by")
        rows.append(
            Row(
                (
                    Markup(f"<code>{escaped(name)}</code>"),
                    ", ".join(tokens) or "none",
                    _REPLACEMENTS.get(by, str(by)) if by else "nothing is replaced",
                )
            )
        )
    return Table(
        ident="conditions-table",
        caption="Conditions of this run",
        columns=(Column("Condition"), Column("Rows replaced"), Column("By", "prose")),
        bodies=(Body(tuple(rows)),),
    )


def _tokens(token: str, condition: Mapping[str, Any]) -> str:
    if token != RANDOM_PATCHES:
        return _TOKENS.get(token, token)
    draws = condition.get("draws", 1)
    drawn = f", drawn {draws} times" if draws > 1 else ""
    return f"{condition.get('patches', Condition.patches)} random patches{drawn}"


def software() -> dict[str, str]:
    """Package → version, of this project and of what computes and prints its numbers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {str(project["name"]): str(project["version"])}
    for package in SIGNED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def signature(inputs: Inputs) -> str:
    """The run's signature as a footer: enough to know what was run."""
    settings = inputs.settings
    parts = [f"run:{settings['run']}", f"seed:{settings['seed']}"]
    analysis = settings["analysis"]
    parts += [f"draws:{analysis['draws']}", f"resamples:{analysis['resamples']}"]
    parts += [f"{package}:{number}" for package, number in software().items()]
    shown = '<span aria-hidden="true"> | </span>'.join(f"<span>{escaped(part)}</span>" for part in parts)
    return f'<footer class="signature" aria-label="Signature of the run">{shown}</footer>'
