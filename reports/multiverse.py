"""The page of universes: which conclusions survive every choice that could have been made otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from markupsafe import Markup

from config.key_paths import values_of
from config.multiverse import SECTION, Choice, choices_of, universes
from config.resolve import read_yaml, resolve
from config.vocabulary.tasks import task_of
from reports.inputs import Cells, Inputs
from reports.markup import NOTHING, badge, code, codes, definition_list, fenced, lines, paragraph, source_link
from reports.numbers import count, counted, fixed
from reports.plates import Plate, is_drawn, render_plate
from reports.protocol import printed
from reports.table import Body, Table, TableColumn, TableRow, render

# Survival → colour, sign and meaning.
SURVIVALS = {
    "all": ("consistent", "✓", "every universe concludes the same"),
    "weakened": ("unchecked", "?", "some universe concludes nothing, and none concludes otherwise"),
    "reversed": ("contradicted", "✕", "some universe concludes otherwise"),
    "open": ("unchecked", "∅", "the config as it is concludes nothing"),
}
KINDS = {
    "comparison": "Differences between models",
    "delta": "Changes from full",
    "compression": "Compression of the effective rank",
    "additivity": "Additivity of registers",
}


def multiverse_includes(inputs: Inputs) -> dict[str, str]:
    """Return the contents of the page: file name → raw HTML in a fence."""
    if not inputs.multiverse:
        how = Markup(
            "<p>No other universe was run for this report. To see which conclusions depend on a choice, describe the "
            "choices in the section {section} of a config, as {example} does, and run {command}.</p>"
        ).format(
            section=code(SECTION),
            example=code("config/multiverse.yaml"),
            command=code("uv run snakemake multiverse --cores all --configfile config/multiverse.yaml"),
        )
        empty = fenced(NOTHING)
        return {"multiverse_state.md": fenced(how)} | {f"multiverse_{name}.md": empty for name in _PARTS}
    return {"multiverse_state.md": fenced(_state(inputs))} | {
        f"multiverse_{name}.md": fenced(part(inputs)) for name, part in _PARTS.items()
    }


def _state(inputs: Inputs) -> Markup:
    """Return how many conclusions survive, and a warning where the config has changed since."""
    rows = inputs.multiverse["survival"]
    found = Counter(row["survival"] for row in rows)
    decided = len(rows) - found["open"]
    words = (
        f"{count(found['all'])} of {counted(decided, 'conclusion')} of this run hold in all "
        f"{counted(len(inputs.multiverse['universes']), 'universe')}, the config as it is among them. "
        f"{count(found['weakened'])} are left open by some universe, and {count(found['reversed'])} are reversed by "
        f"some. The run itself leaves {count(found['open'])} open."
    )
    return lines((*_outdated(inputs), paragraph(words)))


def _outdated(inputs: Inputs) -> Iterable[Markup]:
    now = {one.name: one.identity for one in universes(_config(inputs))}
    then = {row["universe"]: row["config"] for row in inputs.multiverse["universes"]}
    if now != then:
        yield Markup('<div class="note" role="note"><p>{}</p></div>').format(
            "The config has changed since the universes were run, so this page is not about the run as it is. Run the "
            "target multiverse again."
        )


def _config(inputs: Inputs) -> dict[str, object]:
    return resolve(read_yaml(inputs.run.settings), inputs.run.settings)


def _curve(inputs: Inputs) -> Markup:
    words = (
        "Specification curve: the estimates of the declared comparisons with their intervals, one column per universe, "
        "in the order of the first panel. Points below mark the options that a universe takes; the shaded column is "
        "the config as it is."
    )
    plate = Plate(
        ident="specification-curve",
        file=inputs.run.specification_curve.relative_to(inputs.run.folder).as_posix(),
        alt=words,
        caption=words,
        sources=("multiverse/conclusions.csv",),
        wide=True,
    )
    return render_plate(plate) if is_drawn(inputs, plate) else paragraph("There is no estimate to draw.")


def choice_table(inputs: Inputs) -> Table:
    """Return every option with the values that it sets, and how many conclusions it leaves open or reverses."""
    config = _config(inputs)
    decided = [row for row in inputs.multiverse["survival"] if row["survival"] != "open"]
    bodies = (
        Body(tuple(_option(inputs, choice, option, config, decided) for option in choice.options), choice.title)
        for choice in choices_of(config)
    )
    return Table(
        ident="choices-table",
        caption="Options, and what becomes of the conclusions of the config as it is",
        columns=(
            TableColumn("Option"),
            TableColumn("Instead of", "prose"),
            TableColumn("It sets", "prose"),
            TableColumn("The same", "number"),
            TableColumn("Left open", "number"),
            TableColumn("Reversed", "number"),
        ),
        bodies=tuple(bodies),
    )


def _option(
    inputs: Inputs, choice: Choice, option: str, config: dict[str, object], decided: Sequence[Cells]
) -> TableRow:
    taken = {
        row["universe"]
        for row in inputs.multiverse["universes"]
        if (choice.name, option) in zip(row["choices"].split(";"), row["options"].split(";"), strict=True)
    }
    opened, turned = (
        sum(bool(taken & set(row[name].split(";"))) for row in decided) for name in ("opened_by", "reversed_by")
    )
    kept = sum(not taken & {*row["opened_by"].split(";"), *row["reversed_by"].split(";")} for row in decided)
    changes = choice.options[option]
    before = (Markup("{} {}").format(code(key), printed(values_of(key, config))) for key in changes)
    after = (Markup("{} {}").format(code(key), printed({"": value})) for key, value in changes.items())
    return TableRow(
        (
            option.replace("_", " "),
            Markup("<br>").join(before),
            Markup("<br>").join(after),
            count(kept),
            count(opened),
            count(turned),
        )
    )


def survival_tables(inputs: Inputs) -> list[Table]:
    """Return a table per kind of conclusion: in how many universes it holds, the range, and what changes it."""
    found = []
    for kind, title in KINDS.items():
        rows = [row for row in inputs.multiverse["survival"] if row["kind"] == kind]
        if rows:
            headings = dict.fromkeys(_heading(row) for row in rows)
            bodies = (
                Body(tuple(_survival(row) for row in rows if _heading(row) == each), Markup("<b>{}</b>").format(each))
                for each in headings
            )
            found.append(
                Table(
                    ident=f"survival-{kind}",
                    caption=title,
                    columns=(
                        TableColumn("Conclusion about"),
                        TableColumn("This run"),
                        TableColumn("Survives"),
                        TableColumn("Universes", "number"),
                        TableColumn("Estimate", "number"),
                        TableColumn("Range", "number muted"),
                        TableColumn("Changed by", "prose"),
                    ),
                    bodies=tuple(bodies),
                )
            )
    return found


def _heading(row: Cells) -> str:
    return ", ".join(filter(None, (row["question"].replace("_", " "), row["dataset"], row["subject"])))


def _survival(row: Cells) -> TableRow:
    key, sign, meaning = SURVIVALS[row["survival"]]
    turned, opened = (list(filter(None, row[name].split(";"))) for name in ("reversed_by", "opened_by"))
    changed = [Markup("reversed by {}").format(codes(turned))] if turned else []
    changed += [Markup("left open by {}").format(codes(opened))] if opened and row["survival"] != "open" else []
    about = ", ".join(filter(None, (row["condition"], row["task"])))
    return TableRow(
        (
            about or "full",
            f"{row['conclusion']}{_side(row)}",
            badge(key, sign, row["survival"], meaning),
            f"{row['same']} of {row['universes']}",
            _estimate(row, "estimate"),
            f"{_estimate(row, 'least')} to {_estimate(row, 'most')}",
            Markup("; ").join(changed),
        )
    )


def _side(row: Cells) -> str:
    return f" ({row['state']})" if row["state"] in ("lower", "higher") else ""


def _estimate(row: Cells, name: str) -> str:
    factor = task_of(row["task"]).factor if row["task"] else 100
    return fixed(factor * float(row[name]), 1 if factor == 100 else 3, signed=True)


def _key() -> Markup:
    entries = ((badge(key, sign, name), meaning) for name, (key, sign, meaning) in SURVIVALS.items())
    return definition_list(entries, "Meaning of the signs")


def _choices(inputs: Inputs) -> Markup:
    return lines((render(choice_table(inputs)), source_link("multiverse/universes.csv")))


def _conclusions(inputs: Inputs) -> Markup:
    return lines((_key(), *map(render, survival_tables(inputs)), source_link("multiverse/survival.csv")))


_PARTS: Mapping[str, Callable[[Inputs], Markup]] = {
    "curve": _curve,
    "choices": _choices,
    "survival": _conclusions,
}
