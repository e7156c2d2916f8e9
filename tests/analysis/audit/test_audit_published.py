"""Published numbers load whole, with unique identifiers, or fail with a message that helps."""

from pathlib import Path

import pytest

from analysis.audit.published import load_published
from config.errors import InputError

FOLDER = Path(__file__).parents[3] / "analysis" / "published"

TABLES = "id,value,unit,qualifier\nt1,78.50,%,\nt2,1,pp,<\n"
FIGURES = (
    "figure,panel,model,scale,series,x,y,unit,method,precision\n"
    "f,a,M,S,delta,G1,-73.1,pp,svg-text (printed value),0.05\n"
    "f,b,M,S,rank,,13.5467485,effective rank,svg-path,4.5e-07\n"
)
INTERACTIVE = (
    "file,model,layer,token,condition,task,metric,value\nh,M,11,cls,full; rank 0,classification,top1_accuracy,0.732\n"
)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def test_every_published_number_has_its_own_identifier() -> None:
    # 178 + 607 + 1047 rows, as the provenance note counts them.
    numbers = load_published(FOLDER)
    assert len(numbers) == 1832
    assert all(";" not in key for key in numbers)
    heat = "fig/fig2_combined/a/DINOv3/S/delta from full: zero registers/D2 segmentation"
    assert numbers[heat].quantity.text == "-30.9"
    assert numbers["t073"].quantity.qualifier == "<"
    assert numbers["t145"].quantity.text == "0.80"


def test_identifiers_units_and_sources(tmp_path: Path) -> None:
    numbers = load_published(write(tmp_path, tables=TABLES, figures=FIGURES, interactive=INTERACTIVE))
    assert list(numbers) == [
        "t1",
        "t2",
        "fig/f/a/M/S/delta/G1",
        "fig/f/b/M/S/rank/",
        "json/h/M/11/cls/full, rank 0/classification/top1_accuracy",
    ]
    assert numbers["t1"].quantity.text == "78.50"
    assert numbers["fig/f/a/M/S/delta/G1"].quantity.decimals == 1
    assert numbers["fig/f/b/M/S/rank/"].quantity.decimals is None
    stored = numbers["json/h/M/11/cls/full, rank 0/classification/top1_accuracy"]
    assert stored.unit == "fraction"
    assert str(stored.percent().quantity.value.normalize()) == "73.2"
    assert {number.source for number in numbers.values()} == {"article text", "figure f", "data h"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no published numbers"),
        ({"tables": "id,valeu,unit,qualifier\n"}, "column 'value' is missing.*valeu"),
        ({"tables": TABLES + "t1,2,%,\n"}, "line 4: identifier 't1' is taken"),
        ({"tables": TABLES + "t3,many,%,\n"}, "line 4: 'many' is not a printed number"),
        ({"tables": TABLES + "t3,1\n"}, "line 4: the row does not have the 4 cells"),
        ({"figures": FIGURES.replace("4.5e-07", "?")}, "line 3: precision '\\?'"),
        ({"interactive": INTERACTIVE.replace("0.732", "NaN")}, "line 2: 'NaN' is not a number"),
    ],
)
def test_faulty_files(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_published(write(tmp_path, **files))


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        load_published(tmp_path / "absent")


def test_an_unknown_number_suggests_the_closest(tmp_path: Path) -> None:
    numbers = load_published(write(tmp_path, tables=TABLES, figures=FIGURES))
    with pytest.raises(InputError, match=r"claim 'c'.*'fig/f/a/M/S/delta/G2'.*delta/G1'"):
        numbers.find("fig/f/a/M/S/delta/G2", "claim 'c'")
    with pytest.raises(InputError, match=r"interactive\.csv, which is missing"):
        numbers.find("json/h/M/11/cls/full/classification/top1_accuracy", "claim 'c'")
