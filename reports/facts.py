"""What a run consists of: tables of its data sets, models and conditions, and its signature."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from markupsafe import Markup

from config.conditions import Condition
from config.layout import ROOT
from config.settings import Model
from config.vocabulary.sources import SOURCES
from config.vocabulary.tokens import RANDOM_PATCHES, TOKEN_GROUPS
from reports.inputs import Inputs
from reports.markup import code, heading, lines
from reports.numbers import MISSING, count, percent
from reports.table import Body, Table, TableColumn, TableRow

SIGNED_PACKAGES = ("torch", "timm", "numpy", "scipy", "pandas", "snakemake", "pypandoc-binary")


def dataset_table(inputs: Inputs) -> Table:
    """Return the numbers of images and classes of every split, as stored in the packs."""
    bodies = []
    for name, pack in inputs.packs.items():
        stated = str(pack.get("source", ""))
        source = SOURCES[stated].label if stated in SOURCES else stated
        facts = [source, f"{pack['image_size']} px"] if "image_size" in pack else [source]
        rows = [
            TableRow((split, count(int(held["images"])), count(int(held["classes"]))))
            for split, held in pack["splits"].items()
        ]
        rows.append(TableRow(("all images", count(int(pack["images"])), count(int(pack["classes"]))), classes="total"))
        if pack.get("pairs"):
            rows.append(TableRow(("image pairs", count(int(pack["pairs"])), MISSING)))
        bodies.append(Body(tuple(rows), heading(name, " · ".join(facts))))
    return Table(
        ident="data-sets-table",
        caption="Data sets of this run",
        columns=(TableColumn("Split"), TableColumn("Images", "number"), TableColumn("Classes", "number")),
        bodies=tuple(bodies),
        classes="narrow",
    )


def dataset_notes(inputs: Inputs) -> Markup:
    """Return classes, chance level and left-out files of every data set, and the source of the calibration."""
    notes = []
    for name, pack in inputs.packs.items():
        chance = "there is no chance level, because no task classifies images"
        if pack["chance"] is not None:
            low, high = (percent(str(pack["chance"][end])) for end in ("low", "high"))
            chance = f"chance is {low} %" if low == high else f"chance is {low} to {high} %"
        names = ", ".join(str(label) for label in pack.get("class_names", ()))
        listed = f" Classes: {names}." if names else ""
        left_out = "".join(f" {line}." for line in pack.get("left_out", ()))
        notes.append(Markup("<p><b>{}</b>: {}.{}{}</p>").format(name, chance, listed, left_out))
    calibration = Markup("<p>The statistics that replacements use come from the calibration split of <b>{}</b>.</p>")
    return lines((*notes, calibration.format(inputs.settings.calibrate_on)))


def model_table(inputs: Inputs) -> Table:
    """Return the models with their architecture and the origin of their weights."""
    rows = tuple(
        TableRow(
            (
                code(name),
                model.family,
                model.scale,
                model.architecture or "this project’s ViT",
                weights(model),
            )
        )
        for name, model in inputs.models.items()
    )
    return Table(
        ident="models-table",
        caption="Models of this run",
        columns=(
            TableColumn("Model"),
            TableColumn("Family"),
            TableColumn("Scale"),
            TableColumn("Architecture"),
            TableColumn("Weights", "prose"),
        ),
        bodies=(Body(rows),),
    )


def weights(model: Model) -> str:
    """Return where a model's weights come from; of a path, only the file name is reported."""
    if model.weights is None:
        return "trained by this project and stored with its code"
    if model.random:
        return "random: no evidence about the trained model"
    return "published, from the model hub" if model.weights == "hub" else f"file {Path(model.weights).name}"


def condition_table(inputs: Inputs) -> Table:
    """Return the conditions: which tokens are replaced, and by what; and those that no model could be put under."""
    measured = {row["condition"] for row in inputs.ablation}
    entries: dict[str, list[Condition]] = {}
    for condition in inputs.settings.conditions.values():
        entries.setdefault(condition.entry, []).append(condition)
    rows = (
        TableRow(
            (
                code(name),
                ", ".join(_tokens(token, draws) for token in draws[0].tokens) or "none",
                (draws[0].replacement.methods if draws[0].replacement else "nothing is replaced")
                + ("" if any(one.name in measured for one in draws) else "; not measured: no model has these tokens"),
            )
        )
        for name, draws in entries.items()
    )
    return Table(
        ident="conditions-table",
        caption="Conditions of this run",
        columns=(TableColumn("Condition"), TableColumn("Tokens replaced"), TableColumn("Replaced by", "prose")),
        bodies=(Body(tuple(rows)),),
    )


def _tokens(token: str, draws: Sequence[Condition]) -> str:
    label = TOKEN_GROUPS[token].label if token in TOKEN_GROUPS else token
    if token != RANDOM_PATCHES:
        return label
    return f"{draws[0].patches} {label}" + (f", drawn {len(draws)} times" if len(draws) > 1 else "")


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
    parts = [f"run:{settings.run}", f"seed:{settings.seed}"]
    parts += [f"draws:{settings.analysis.draws}", f"resamples:{settings.analysis.resamples}"]
    parts += [f"{package}:{number}" for package, number in software().items()]
    shown = Markup('<span aria-hidden="true"> | </span>').join(Markup("<span>{}</span>").format(part) for part in parts)
    return Markup('<footer class="signature" aria-label="Signature of the run">{}</footer>').format(shown)
