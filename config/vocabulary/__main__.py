"""Print what a config can name, as Markdown: ``python -m config.vocabulary``."""

from collections.abc import Iterable, Mapping, Sequence

from config.vocabulary.known_answers import KNOWN_ANSWERS
from config.vocabulary.measures import MEASURES
from config.vocabulary.replacements import REPLACEMENTS
from config.vocabulary.sources import SOURCES
from config.vocabulary.tasks import READOUTS, TASKS
from config.vocabulary.tokens import TOKEN_GROUPS


def tables() -> Mapping[str, str]:
    """Return a Markdown table for every kind of word, by its title."""
    return {
        "Tokens": _table(
            ("token", "rows"),
            [*((f"`{name}`", group.label) for name, group in TOKEN_GROUPS.items()), ("`r1`, `r2`, …", "one register")],
        ),
        "Replacements": _table(
            ("replacement", "the row becomes"),
            ((f"`{name}`", one.meaning) for name, one in REPLACEMENTS.items()),
        ),
        "Tasks": _table(
            ("task", "metric", "unit", "read from", "readouts", "better", "definition"),
            (
                (
                    f"`{name}`" + (f" (with `{one.part_of}`)" if one.part_of else ""),
                    one.metric,
                    "percent" if one.percent else one.value_unit,
                    one.features,
                    ", ".join(one.readouts),
                    "higher" if one.higher_is_better else "lower",
                    one.definition,
                )
                for name, one in TASKS.items()
            ),
        ),
        "Readouts": _table(("readout", "meaning"), ((f"`{name}`", meaning) for name, meaning in READOUTS.items())),
        "Sources": _table(
            ("source", "what it is", "what lies in `path`", "tasks", "keys"),
            (
                (
                    f"`{name}`",
                    one.label,
                    one.holds or "nothing: drawn",
                    ", ".join(one.tasks),
                    ", ".join(f"`{key}`" for key in sorted(one.keys)),
                )
                for name, one in SOURCES.items()
            ),
        ),
        "Known-answer families": _table(
            ("family", "who may attend to whom", "answer"),
            ((f"`{name}`", one.mask, one.answer) for name, one in KNOWN_ANSWERS.items()),
        ),
        "Measures": _table(
            ("measure", "definition"), ((f"`{name}`", one.definition) for name, one in MEASURES.items())
        ),
    }


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    print("\n\n".join(f"## {title}\n\n{table}" for title, table in tables().items()))
