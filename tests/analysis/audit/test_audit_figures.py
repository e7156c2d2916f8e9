"""Every finding gets a picture, and every byte of it is a function of the points."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from analysis.audit.figures import draw, main, read_drawings
from analysis.audit.run import main as audit

FOLDER = Path(__file__).parents[3] / "analysis" / "published"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("audit")
    audit([str(FOLDER), "--out", str(out)])
    return out


def test_every_finding_is_drawn_and_drawn_again_the_same(folder: Path, tmp_path: Path) -> None:
    main([str(folder), "--out", str(tmp_path)])
    drawn = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    drawings = read_drawings(folder)
    assert set(drawn) == {f"{claim}.svg" for claim in drawings}
    one_per_kind = {drawing.kind: claim for claim, drawing in drawings.items()}
    assert len(one_per_kind) > 5
    for claim in one_per_kind.values():
        assert draw(drawings[claim]) == drawn[f"{claim}.svg"]
    for content in drawn.values():
        assert ElementTree.fromstring(content).tag.endswith("svg")


def test_the_points_are_those_of_the_published_series(folder: Path) -> None:
    drawing = read_drawings(folder)["js-layer-by-layer"]
    assert [point.position for point in drawing.points] == list(range(12))
    assert drawing.points[-1].value == pytest.approx(0.1772991, abs=1e-6)
    assert drawing.points[0].value == 0


def test_what_was_computed_is_drawn_beside_what_is_stated(folder: Path) -> None:
    implied = read_drawings(folder)["implied-baseline-v2reg"]
    assert [point.value for point in implied.points] == pytest.approx([78.1133] * 4, abs=1e-3)
    assert implied.stated is not None and implied.stated.value == 67.3
    curve = read_drawings(folder)["sum-v3-curve"]
    assert [point.value for point in curve.points] == pytest.approx([-5.10333], abs=1e-4)
