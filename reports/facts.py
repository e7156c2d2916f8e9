"""What a run consists of: tables of its data sets, models and conditions, and its signature."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from markupsafe import Markup

from config.layout import ROOT
from config.settings import Condition
from config.vocabulary.replacements import REPLACEMENTS
from config.vocabulary.sources import SOURCES
from config.vocabulary.tokens import RANDOM_PATCHES, TOKEN_GROUPS
from reports.inputs import Inputs
from reports.markup import code, heading, lines
from reports.numbers import MISSING, count, percent
from reports.table import Body, Column, Row, Table

SIGNED_PACKAGES = ("torch", "timm", "numpy", "scipy", "statsmodels", "pandas", "snakemake", "pypandoc-binary")


def dataset_table(inputs: Inputs) -> Table:
    """Return the numbers of images and classes of every split, as stored in the packs."""
    bodies = []
    for name, pack in inputs.packs.items():
        stated = str(pack.get("source", ""))
        source = SOURCES[stated].label if stated in SOURCES else stated
        facts = [source, f"{pack['image_size']} px"] if "image_size" in pack else [source]
        rows = [
            Row((split, count(int(held["images"])), count(int(held["classes"]))))
            for split, held in pack["splits"].items()
        ]
        rows.append(Row(("all images", count(int(pack["images"])), count(int(pack["classes"]))), classes="total"))
        if pack.get("pairs"):
            rows.append(Row(("image pairs", count(int(pack["pairs"])), MISSING)))
        bodies.append(Body(tuple(rows), heading(name, " · ".join(facts))))
    return Table(
        ident="data-sets-table",
        caption="Data sets of this run",
        columns=(Column("Split"), Column("Images", "number"), Column("Classes", "number")),
        bodies=tuple(bodies),
        classes="narrow",
    )


def dataset_notes(inputs: Inputs) -> Markup:
    """Return class names and chance level of every data set, and the source of the calibration statistics."""
    notes = []
    for name, pack in inputs.packs.items():
        chance = "there is no chance level, because no task classifies images"
        if pack["chance"] is not None:
            low, high = (percent(str(pack["chance"][end])) for end in ("low", "high"))
            chance = f"chance is {low} %" if low == high else f"chance is {low} to {high} %"
        names = ", ".join(str(label) for label in pack.get("class_names", ()))
        listed = f" Classes: {names}." if names else ""
        notes.append(Markup("<p><b>{}</b>: {}.{}</p>").format(name, chance, listed))
    if "calibrate_on" in inputs.settings:
        calibration = Markup(
            "<p>The statistics that replacements use come from the calibration split of <b>{}</b>.</p>"
        )
        notes.append(calibration.format(inputs.settings["calibrate_on"]))
    return lines(notes)


def model_table(inputs: Inputs) -> Table:
    """Return the models with their architecture and the origin of their weights."""
    rows = tuple(
        Row(
            (
                code(name),
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
    return str(model.get("architecture") or "this project’s ViT")


def weights(model: Any) -> str:
    """Return where a model's weights come from; of a path, only the file name is reported."""
    stated = model.get("weights")
    if stated is None:
        return "trained by this project and stored with its code"
    if stated == "random":
        return "random: no evidence about the trained model"
    if stated == "hub":
        return "published, from the model hub"
    return f"file {Path(str(stated)).name}"


def condition_table(inputs: Inputs) -> Table:
    """Return the conditions: which tokens are replaced, and by what."""
    rows = []
    for name, condition in inputs.settings["conditions"].items():
        tokens = [_tokens(token, condition) for token in (condition or {}).get("tokens", ())]
        by = (condition or {}).get("by")
        rows.append(
            Row(
                (
                    code(name),
                    ", ".join(tokens) or "none",
                    _replacement(by) if by else "nothing is replaced",
                )
            )
        )
    return Table(
        ident="conditions-table",
        caption="Conditions of this run",
        columns=(Column("Condition"), Column("Tokens replaced"), Column("Replaced by", "prose")),
        bodies=(Body(tuple(rows)),),
    )


def _replacement(by: str) -> str:
    return REPLACEMENTS[by].methods if by in REPLACEMENTS else by


def _tokens(token: str, condition: Mapping[str, Any]) -> str:
    if token != RANDOM_PATCHES:
        return TOKEN_GROUPS[token].label if token in TOKEN_GROUPS else token
    draws = condition.get("draws", 1)
    drawn = f", drawn {draws} times" if draws > 1 else ""
    return f"{condition.get('patches', Condition.patches)} random patches{drawn}"


def software() -> dict[str, str]:
    """Return package → version, for this project and the packages that compute or print its numbers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {str(project["name"]): str(project["version"])}
    for package in SIGNED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def signature(inputs: Inputs) -> Markup:
    """Return the footer that identifies the run: name, seed, draws and versions."""
    settings = inputs.settings
    parts = [f"run:{settings['run']}", f"seed:{settings['seed']}"]
    analysis = settings["analysis"]
    parts += [f"draws:{analysis['draws']}", f"resamples:{analysis['resamples']}"]
    parts += [f"{package}:{number}" for package, number in software().items()]
    shown = Markup('<span aria-hidden="true"> | </span>').join(Markup("<span>{}</span>").format(part) for part in parts)
    return Markup('<footer class="signature" aria-label="Signature of the run">{}</footer>').format(shown)
