"""A synthetic run on disk: what the report reads, with values that no measurement could be taken for."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.rows.registry import AUDIT, TABLES, TESTS
from analysis.rows.schema import Row, columns_of
from config.errors import report_errors
from config.layout import FIGURES

METRICS = {
    "classification": "accuracy",
    "retrieval": "Recall@1",
    "correspondence": "hits/points",
    "segmentation": "mIoU",
}
REPLACEMENTS = {
    "full": "Full",
    "zero_registers": "Zero registers",
    "mean_registers": "Mean-sub",
    "noise_registers": "Noise-sub",
    "shuffle_registers": "Shuffle",
}
KNOWN = {
    "plain_s": {"source": "known_answer", "family": "plain", "scale": "S"},
    "bottleneck_s": {"source": "known_answer", "family": "bottleneck", "scale": "S"},
    "sink_s": {"source": "known_answer", "family": "sink", "scale": "S"},
}
RANDOM = {
    "dinov3_random_s": {
        "source": "timm",
        "family": "dinov3",
        "scale": "S",
        "architecture": "vit_small_patch16_dinov3",
        "image_size": 224,
        "weights": "random",
    }
}
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20" width="40" height="20">'
    '<rect width="40" height="20" fill="white"/><circle cx="10" cy="10" r="5" fill="#888"/></svg>'
)
CLAIMS = (
    ("sum", "introduction", "consistent", "none", [["11.1 + 22.2 = 33.3; stated 33.3."]], "t001;t002"),
    ("rounded", "introduction", "consistent only with rounding", "rounding", [["33.34 rounds."]], "t001"),
    ("missing", "table", "not checkable", "none", [["The scores of every image."]], ""),
    ("leap", "table", "unsupported", "conclusion", [["p = 0.99 shows nothing."], ["It needs a margin."]], "t001;t003"),
    (
        "apart",
        "figure",
        "sources disagree",
        "number",
        [["44.4", {"numbers": ["t001"]}, " is not 55.5", {"numbers": ["fig/f/a/M/S/x < y/R1"]}, "."]],
        "t001;fig/f/a/M/S/x < y/R1",
    ),
    ("wrong", "figure", "contradicted", "conclusion", [["99.9 <= 11.1 is false: `x`."]], "t001;t002"),
)
RANKS = {"wrong": "1", "leap": "2", "apart": "3"}
AGREEMENTS = (
    ("beyond rounding and repeats", "no"),
    ("within rounding", "no"),
    ("same", "no"),
    ("beyond rounding and repeats", "yes"),
)
FILLED = {str: "x", int: "3", float: "0.25", bool: "true"}


def filled(kind: type[Row], /, **known: object) -> dict[str, str]:
    """A row with some known cells; the others are filled by type, and empty where they may be."""
    row = {column.name: "" if column.optional else FILLED[column.kind] for column in columns_of(kind)}
    assert known.keys() <= row.keys(), f"{kind.__name__} has no column {known.keys() - row.keys()}"
    return {**row, **{name: str(value) for name, value in known.items()}}


def cells(text: str) -> dict[str, str]:
    """Cells written as `name=value`, separated by spaces."""
    return dict(cell.split("=") for cell in text.split())


@dataclass(frozen=True)
class SyntheticRun:
    """A run's files, as the workflow would leave them."""

    folder: Path
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: KNOWN)
    datasets: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"scenes": tuple(METRICS)})
    statistics: bool = True
    title: str = "An artificial run: a < b & `c` {{< var x >}}"

    @property
    def settings(self) -> Path:
        return self.folder / "run" / "settings.yaml"

    @property
    def published(self) -> Path:
        return self.folder / "published"

    @property
    def report(self) -> Path:
        return self.folder / "run" / "report"

    @property
    def arguments(self) -> list[str]:
        return ["--settings", str(self.settings), "--published", str(self.published)]

    def rows(self, table: str) -> list[dict[str, str]]:
        with (self.folder / "run" / table).open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def write(self) -> SyntheticRun:
        run = self.folder / "run"
        run.mkdir(parents=True)
        self.settings.write_text(yaml.safe_dump(self._settings(), sort_keys=False))
        for name in self.datasets:
            pack = run / "packs" / name / "pack.yaml"
            pack.parent.mkdir(parents=True)
            pack.write_text(yaml.safe_dump(_pack(name), sort_keys=False))
            for figure in FIGURES:
                path = run / "figures" / name / f"{figure}.svg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(SVG)
        ablation = [filled(TABLES["ablation"], **row) for row in self._ablation()]
        known: dict[str, Sequence[Mapping[str, object]]] = {
            **(self._statistics() if self.statistics else {}),
            "ablation": ablation,
            "known_answers": list(self._checks()),
            "layer_measures": list(self._measures()) if self.statistics else [],
        }
        for folder, kinds in (("tables", TABLES), ("tests", TESTS), ("audit", AUDIT)):
            rows = {**known, **(_audit() if folder == "audit" else {})}
            for name, kind in kinds.items():
                lines = [filled(kind, **row) for row in rows.get(name, ())]
                write_rows(run / folder / f"{name}.csv", lines, [column.name for column in columns_of(kind)])
        self._write_replacement(ablation)
        (run / "audit" / "claims.json").write_text(json.dumps([_reasons(*claim) for claim in CLAIMS]))
        (run / "audit" / "summary.md").write_text("# Audit\n")
        for ident in RANKS:
            figure = run / "figures" / "audit" / f"{ident}.svg"
            figure.parent.mkdir(parents=True, exist_ok=True)
            figure.write_text(SVG)
        write_published(self.published)
        return self

    def _measures(self) -> Iterable[dict[str, object]]:
        for dataset, (name, model) in itertools.product(self.datasets, self.models.items()):
            of_model = {"dataset": dataset, "model": name, "family": model["family"], "scale": model["scale"]}
            for condition, layer in itertools.product(("full", "zero_registers"), (0, 5)):
                for place, measure in enumerate(("effective_rank", "effective_rank_centred", "js", "patch_cosine")):
                    middle = 10 * place + layer + 0.25
                    yield {
                        **of_model,
                        **{"condition": condition, "layer": layer, "measure": measure, "n": 60 if place < 2 else 30},
                        **{"median": middle, "median_low": middle - 0.5, "median_high": middle + 0.5},
                        **{"quartile_1": middle - 1, "quartile_3": middle + 1},
                    }

    def _settings(self) -> dict[str, Any]:
        return {
            "run": "artificial",
            "title": self.title,
            "seed": 77,
            "models": {name: dict(model) for name, model in self.models.items()},
            "conditions": {
                "full": {},
                **{
                    name: {"tokens": ["registers"], "by": name.partition("_")[0]}
                    for name in REPLACEMENTS
                    if name != "full"
                },
            },
            "datasets": {
                name: {"source": "scenes", "image_size": 64, "tasks": list(tasks)}
                for name, tasks in self.datasets.items()
            },
            "analysis": {
                "draws": 1234,
                "resamples": 567,
                "level": 0.9,
                "families": ["dataset", "task", "readout"],
                "alpha": 0.05,
                "margins": {"default": {"margin": 0.0123, "reason": "less < than nothing"}},
                "comparisons": {
                    "cls_buffering": {
                        "question": "Is a < b?",
                        "families": ["bottleneck", "sink"],
                        "conditions": ["zero_registers"],
                    },
                    "elsewhere": {"question": "And c?", "scales": ["S", "H"], "conditions": ["zero_registers"]},
                },
            },
        }

    def _statistics(self) -> dict[str, list[Mapping[str, object]]]:
        """Rows of every test, of the first data set and the last model."""
        dataset, (task, *_) = next(iter(self.datasets.items()))
        model = list(self.models)[-1]
        condition = "zero_registers"
        readout = "matched" if task in ("classification", "segmentation") else "direct"
        at = {"dataset": dataset, "model": model, "condition": condition}
        where = {**at, "task": task, "readout": readout}
        compared = cells(f"comparison=cls_buffering condition={condition} within=S base=bottleneck_s changed=sink_s")
        together = "size=4 delta=-0.5 predicted=-0.2 excess=-0.3 excess_family_low=-0.35 excess_family_high=-0.25"
        of_pair = "size=2 delta=-0.77 predicted=-0.1 excess=-0.67 excess_family_low=-0.7 excess_family_high=-0.6"
        return {
            "comparisons": [
                {
                    **compared,
                    **{"dataset": dataset, "task": task, "readout": readout},
                    **cells("n=1111 base_delta=-0.111 changed_delta=-0.222 difference=-0.1110 low=-0.2 high=-0.05"),
                    **cells("p=0.0321 p_holm=0.0421 p_max_t=0.0521 p_equivalence=0.0621 conclusion=different"),
                },
                # What a task records besides its own score is compared too, and no config names it.
                {
                    **compared,
                    **{"dataset": dataset, "task": "cycle_consistency", "readout": "direct"},
                    **cells("n=313 base_delta=-0.01 changed_delta=-0.02 difference=-0.01 low=-0.02 high=0.01"),
                    **cells("p=0.4 p_holm=0.5 p_max_t=0.6 p_equivalence=0.7 conclusion=undecided"),
                    **cells("units_low=9876 units_high=9999"),
                },
            ],
            "equivalence": [
                {
                    **where,
                    **cells("n=1111 delta=0.0044 low=-0.001 high=0.009 conclusion=undecided detectable=0.0123"),
                    **cells("units_low=54321 units_high=98765"),
                }
            ],
            "class_deltas": [
                where
                | cells("category=dog<b> present=9 delta=-0.4 family_low=-0.61 family_high=-0.2 share=-0.04 warning="),
                where
                | cells("category=cat present=8 delta=-0.31 family_low=-0.6 family_high=0.1 share=-0.03 warning="),
            ],
            "random_patches": [
                {
                    **where,
                    **cells("control=patches_control draws_of_patches=7 delta=-0.3 random_mean=-0.02"),
                    **cells("random_spread=0.0066 random_least=-0.01 random_most=-0.03"),
                    **cells("difference=-0.28 low=-0.3 high=-0.26 p_holm=0.0777"),
                }
            ],
            "readouts": [
                {
                    **at,
                    "task": task,
                    **cells("matched_delta=-0.11 frozen_delta=-0.31 difference=-0.2 low=-0.25 high=-0.15"),
                    "p_holm": 0.0888,
                }
            ],
            "trends": [
                {
                    **at,
                    **cells("condition=full measure=mass_cls_to_registers n=99 first=0.1 last=0.4 with_trend=4"),
                    **cells("against=1 largest_against=-0.05"),
                    "reading": "not monotone",
                }
            ],
            "additivity": [
                where | cells(f"{together} p_holm=0.0123 reading=super-additive"),
                where | cells(f"{of_pair} p_holm=0.0234 reading=super-additive condition=zero_r1_r2"),
            ],
            "cumulative": [{"dataset": dataset, "readout": readout, "orders": 24}],
            "compression": [
                {
                    **at,
                    **{"base": model, "base_condition": "full"},
                    **cells("layer=5 base_median=8.6 median=4.3 compression=0.5 low=0.45 high=0.55"),
                    **cells("p_holm=0.0999 detectable=0.07"),
                }
            ],
            "divergence_ratios": [
                at
                | cells("layer=5 n=99 divergence=0.18 base=mean_registers base_divergence=0.00072")
                | cells("ratio=250 low=200 high=300"),
                at | cells("layer=5 n=99 divergence=0.18 base=shuffle_registers base_divergence=1e-9"),
            ],
            "probe_variance": [
                {
                    **where,
                    **cells("quantity=delta refits=6 estimate=-0.3 units_error=0.01 training_error=0.02 freedom=7.25"),
                    **cells("low=-0.32 high=-0.28 total_low=-0.344 total_high=-0.256"),
                }
            ],
        }

    def _ablation(self) -> Iterable[dict[str, object]]:
        place = 0
        for dataset, tasks in self.datasets.items():
            for task in tasks:
                for model, facts in self.models.items():
                    for condition in ["full"] if facts["family"] == "plain" else REPLACEMENTS:
                        place += 1
                        value = 0.1234 + 0.005 * place
                        row: dict[str, object] = {
                            **{"dataset": dataset, "task": task, "metric": METRICS[task], "model": model},
                            **{"family": facts["family"], "scale": facts["scale"], "condition": condition},
                            "readout": "matched" if task in ("classification", "segmentation") else "direct",
                            "clusters": 1111 if task != "correspondence" else 17,
                            "value": f"{value:.6f}",
                            "value_low": f"{value - 0.01:.6f}",
                            "value_high": f"{value + 0.01:.6f}",
                            **cells("n=1111 value_interval=wilson delta_interval=score level=0.9 seed=77"),
                        }
                        if condition != "full":
                            row |= {
                                "delta": f"{-0.05 - place / 1000:.6f}",
                                "delta_low": f"{-0.06 - place / 1000:.6f}",
                                "delta_high": f"{-0.04 - place / 1000:.6f}",
                                **cells("p=0.0008097 p_exact=3.21e-07 p_smallest=0.0008097 p_mc_error=0.0042"),
                                **cells("p_holm=0.0123 p_max_t=0.0101 draws=1234 delta_interval=score"),
                            }
                        yield row

    def _write_replacement(self, ablation: Sequence[Mapping[str, str]]) -> None:
        registered = [name for name, facts in self.models.items() if facts["family"] != "plain"]
        tasks = list(dict.fromkeys(task for tasks in self.datasets.values() for task in tasks))
        columns = [f"{task}/{model}" for task in tasks for model in registered]
        values = {(row["dataset"], row["condition"], f"{row['task']}/{row['model']}"): row["value"] for row in ablation}
        lines = []
        for dataset in self.datasets:
            for condition, label in REPLACEMENTS.items():
                cells = {column: values.get((dataset, condition, column)) for column in columns}
                printed = {column: f"{100 * float(value):.1f}" if value else "" for column, value in cells.items()}
                lines.append({"dataset": dataset, "condition": label, **printed})
        if not registered:
            lines = []
        path = self.folder / "run" / "tables" / "replacement.csv"
        write_rows(path, lines, ["dataset", "condition", *columns])

    def _checks(self) -> Iterable[dict[str, object]]:
        for dataset in self.datasets:
            for model, facts in self.models.items():
                of_model = {
                    **{"dataset": dataset, "model": model, "family": facts["family"]},
                    **{"check": "an answer", "quantity": "a quantity", "expected": "at most 0.2222"},
                }
                if facts["family"] == "bottleneck":
                    yield of_model | cells("condition=mean_registers observed=0.1357 passed=true")
                    yield of_model | cells("condition=zero_registers observed=0.9753 passed=false")
                if facts["family"] == "sink":
                    yield of_model | cells("condition=mean_registers observed=2.5e-07 passed=true")
                    yield of_model | cells("condition=shuffle_registers passed=false")


def _audit() -> dict[str, list[Mapping[str, object]]]:
    """Rows of the audit's tables, one of each claim and finding."""
    places = (("introduction", 1, 1), ("table", 1, 0), ("figure", 0, 0))
    point = cells("kind=sum role=parts position= value=44.4 low=44.35 high=44.45 source=s unit=%")
    pair = cells("first_value=67.3 second_value=78.1133 unit=% apart=10.8133 spread=0.22")
    sources = {"first_source": "article text", "second_source": "figure f"}
    return {
        "claims": [_claim(*claim) for claim in CLAIMS],
        "summary": [
            {"place": place, "none": none, "rounding": rounding, **cells("claims=2 number=0 conclusion=1 failing=1")}
            for place, none, rounding in places
        ],
        "points": [
            point | {"claim": ident, "number": numbers, "label": "M < N · x"}
            for ident, *_, numbers in CLAIMS
            if ident in RANKS
        ],
        "sources": [
            {**pair, **sources, "quantity": f"a quantity < {place}", "agreement": agreement, "superseded": superseded}
            for place, (agreement, superseded) in enumerate(AGREEMENTS)
        ],
        "reproduced": [_reproduced(ident) for ident, *_ in CLAIMS],
    }


# The second reading of a claim, which does not decide.
OTHER = {"sum": {"reading": "all <three>", "kind": "sum", "verdict": "contradicted", "why": [["1 + 1 = 3."]]}}


def _reasons(ident: str, place: str, verdict: str, severity: str, why: list[Any], numbers: str) -> dict[str, Any]:
    """An entry of `claims.json`."""
    kind = "not_checkable" if verdict == "not checkable" else "sum"
    decides = {"reading": "as worded", "kind": kind, "verdict": verdict, "why": why}
    files = {key: "figures.csv" if key.startswith("fig/") else "tables.csv" for key in numbers.split(";") if key}
    others = [OTHER[ident]] if ident in OTHER else []
    return {"id": ident, "decides": 0, "readings": [decides, *others], "note": f"A note on {ident}.", "numbers": files}


def _claim(ident: str, place: str, verdict: str, severity: str, why: list[Any], numbers: str) -> dict[str, object]:
    return {
        "id": ident,
        "place": place,
        "kind": "not_checkable" if verdict == "not checkable" else "sum",
        "claim": f"Claim {ident}: that a < b & <script>alert(1)</script> {{{{< include nothing.md >}}}}",
        "published": "33.30",
        "recomputed": "<=33.3",
        "tolerance": "0.05 pp",
        "verdict": verdict,
        "why": "the page takes it from claims.json",
        "numbers": numbers,
        "severity": severity,
        "value": "off" if severity == "number" else "",
        "conclusion": "changes" if severity == "conclusion" else "",
        "gap": "0.5",
        "rank": RANKS.get(ident, ""),
        "foremost": RANKS.get(ident, ""),
        "reading": "as worded",
        "strictest": "contradicted" if ident == "sum" else verdict,
        **{
            "as_worded": verdict,
            "favourable": verdict,
            "holds_if": "",
            "sensitivity": "",
            "origin": "article",
            "power": "",
            "weakest": "",
        },
        "defect": ident if severity == "number" else "",
    }


def _reproduced(claim: str) -> dict[str, object]:
    said = {"sum": "reproduced", "apart": "not reproduced"}.get(claim, "not measured")
    measured = "0" if said == "not measured" else "2"
    return {"claim": claim, "reproduced": said, "measured": measured, "quantities": "2", "number": ""}


def _pack(name: str) -> dict[str, Any]:
    return {
        "dataset": name,
        "source": "scenes",
        "images": 4242,
        "classes": 7,
        "class_names": ["first <class>", "second"],
        "image_size": 64,
        "splits": {
            "calibration": {"images": 1313, "classes": 5},
            "train": {"images": 1818, "classes": 6},
            "test": {"images": 1111, "classes": 7},
        },
        "pairs": 313,
        "chance": {"low": 0.1, "high": 0.25},
    }


def write_rows(path: Path, rows: Sequence[Mapping[str, str]], columns: Sequence[str] = ()) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(columns) or list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_published(folder: Path) -> None:
    """Published numbers of two models; the digits count upwards, trailing zeros included."""
    rows = []
    conditions = ("full", "zero registers", "mean-sub registers", "noise-sub registers", "shuffled registers")
    for row, condition in enumerate(conditions):
        for column, (task, model) in enumerate(
            (task, model)
            for task in ("classification", "correspondence", "segmentation")
            for model in ("DINOv2+reg", "DINOv3")
        ):
            rows.append(
                {
                    "id": f"t{len(rows):03}",
                    "location": "controls table",
                    "model": model,
                    "condition": condition,
                    "task": task,
                    "metric": "score",
                    "value": f"{10 * (row + 1)}.{column}0",
                    "unit": "%",
                }
            )
    rows.append({**rows[0], "id": "t999", "location": "introduction", "value": "98765"})
    write_rows(folder / "tables.csv", rows)
    write_rows(folder / "figures.csv", [{"figure": "f"}] * 2000)
    write_rows(folder / "interactive.csv", [{"file": "j"}] * 3)


@dataclass
class Element:
    """An element of a page, with its text."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


class PageParser(HTMLParser):
    """The elements of a page, in order, void or not, each with the text inside it."""

    VOID = frozenset({"meta", "link", "img", "br", "hr", "input", "wbr"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in self.VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1].tag == tag, f"</{tag}> closes {self._open[-1:]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data


@dataclass(frozen=True)
class RenderedPage:
    """A page of the report."""

    path: Path
    html: str
    elements: tuple[Element, ...]

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]

    @property
    def idents(self) -> list[str]:
        return [element.attributes["id"] for element in self.elements if "id" in element.attributes]

    @property
    def visible(self) -> str:
        (body,) = self.all("body")
        return re.sub(r"\s+", " ", body.text)

    def table(self, ident: str) -> list[list[str]]:
        """The rows of a table as text; headings of groups are rows of one cell."""
        start = next(i for i, each in enumerate(self.elements) if each.attributes.get("id") == ident)
        rows: list[list[str]] = []
        for element in self.elements[start + 1 :]:
            if element.tag in ("table", "footer", "h2", "h3"):
                break
            if element.tag == "tr":
                rows.append([])
            elif element.tag in ("td", "th"):
                rows[-1].append(re.sub(r"\s+", " ", element.text).strip())
        return rows


def read_page(path: Path) -> RenderedPage:
    html = path.read_text(encoding="utf-8")
    parser = PageParser()
    parser.feed(html)
    parser.close()
    return RenderedPage(path, html, tuple(parser.elements))


@pytest.fixture(scope="session")
def page_reader() -> Callable[[Path], RenderedPage]:
    return read_page


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SyntheticRun]:
    """Write a synthetic run to a folder of its own."""

    def make(**choices: Any) -> SyntheticRun:
        return SyntheticRun(tmp_path_factory.mktemp("synthetic"), **choices).write()

    return make


@pytest.fixture(scope="session")
def rendered(make_run: Callable[..., SyntheticRun]) -> SyntheticRun:
    """The standard run, rendered by Pandoc. Tests read it and leave it as it is."""
    from reports.build import build

    run = make_run(models={**KNOWN, **RANDOM})
    build(run.settings, run.published, "pandoc")
    return run


@pytest.fixture(scope="session")
def pages(rendered: SyntheticRun) -> dict[str, RenderedPage]:
    """Page name → page of the standard run."""
    return {path.name: read_page(path) for path in sorted(rendered.report.glob("*.html"))}


@pytest.fixture
def message_of(capsys: pytest.CaptureFixture[str]) -> Callable[[Sequence[str]], str]:
    """Run the command line with arguments that it must refuse; return its message."""
    from reports.build import main

    def run(arguments: Sequence[str]) -> str:
        with pytest.raises(SystemExit) as caught:
            report_errors(lambda: main(arguments))
        assert caught.value.code == 2
        message = capsys.readouterr().err
        assert message.startswith("error: ")
        return message

    return run
