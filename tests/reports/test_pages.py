"""The pages as a browser gets them: complete, self-contained, linked, and with the numbers of the files."""

from __future__ import annotations

import csv
import re
from urllib.parse import unquote, urlsplit

import pytest

from analysis.rows.registry import AUDIT, TABLES, TESTS
from analysis.rows.schema import glossary
from config.layout import ERROR_RATES
from reports.project import read_project

NAMES = [page.file for page in read_project().pages]
# The synthetic run has three findings of severity number or above.
FINDINGS = ["finding-apart.html", "finding-leap.html", "finding-wrong.html"]


@pytest.fixture(params=[*NAMES, *FINDINGS])
def page(request, pages):
    return pages[request.param]


def test_the_report_has_exactly_the_pages_of_the_project_and_one_a_finding(pages):
    assert sorted(pages) == sorted([*NAMES, *FINDINGS])


@pytest.mark.parametrize("left", [":::", "?@", "???", "{=html}", "[@", "include _generated", "(**"])
def test_nothing_is_left_unrendered(page, left):
    body = page.html[page.html.index("<body") :]
    assert left not in body


def test_no_shortcode_is_left_but_those_that_the_data_quote(page):
    # Claims and title of the synthetic run hold shortcodes as text: printed, never expanded.
    assert "{{<" not in page.html
    for shown in re.findall(r"\{\{<[^>]*", page.visible):
        assert shown.strip() in ("{{< var x", "{{< include nothing.md")


def test_every_page_has_title_heading_language_and_viewport(page):
    (title,) = page.all("title")
    assert re.fullmatch(r"\S.* · register-audit", title.text.strip())
    assert len(page.all("h1")) == 1
    assert page.all("html")[0].attributes["lang"] == "en"
    assert any(meta.attributes.get("name") == "viewport" for meta in page.all("meta"))


def test_the_navigation_names_every_page_and_marks_the_current_one(page):
    links = [link for link in page.all("a") if link.attributes.get("href") in NAMES]
    assert {link.attributes["href"] for link in links} == set(NAMES)
    marked = [link.attributes["href"] for link in page.all("a") if "aria-current" in link.attributes]
    assert marked == [page.path.name] * (page.path.name in NAMES)


def test_nothing_is_loaded_from_elsewhere(page):
    for element in page.elements:
        if element.tag == "a":
            continue
        for name in ("src", "href", "srcset", "data", "poster"):
            if name in element.attributes:
                assert element.attributes[name].startswith("data:"), element
    styles = "".join(element.text for element in page.all("style"))
    assert "@import" not in styles
    assert "url(" not in styles
    # The one script is the project's own, stands in the page, and fetches nothing.
    scripts = page.all("script")
    assert len(scripts) == (page.path.name == "audit.html")
    for script in scripts:
        assert not script.attributes
        assert not re.search(r"https?:|import|fetch|XMLHttpRequest|eval", script.text)


def test_identifiers_are_unique(page):
    assert len(page.idents) == len(set(page.idents))


def test_every_link_leads_somewhere(page, pages):
    for link in page.all("a"):
        target = urlsplit(link.attributes["href"])
        if target.scheme:
            assert target.scheme == "https"
            continue
        if target.path:
            assert (page.path.parent / unquote(target.path)).is_file(), link
        if target.fragment:
            of = pages[target.path or page.path.name]
            assert unquote(target.fragment) in of.idents, link


def test_figures_are_described_and_lead_to_their_numbers(pages):
    figures = pages["results.html"].all("figure")
    assert figures
    for page in pages.values():
        assert all(len(image.attributes["alt"]) > 40 for image in page.all("img"))
        assert len(page.all("figcaption")) == len(page.all("figure"))
    assert all("ablation.csv" in figure.text for figure in figures)
    for name in FINDINGS:
        assert "points.csv" in pages[name].all("figure")[0].text


def test_tables_have_captions_and_scopes_in_a_box_that_scrolls(page):
    boxes = [e for e in page.elements if e.attributes.get("class") == "table-box"]
    assert len(boxes) == len(page.all("table")) == len(page.all("caption"))
    assert all("scope" in cell.attributes for cell in page.all("th"))
    assert all(box.attributes.get("tabindex") == "0" for box in boxes)


def test_data_are_escaped(page):
    assert "<script>alert" not in page.html
    assert "<class>" not in page.html


def test_data_are_shown_as_they_stand(pages):
    assert "that a < b & <script>alert(1)</script>" in pages["audit.html"].visible
    assert "An artificial run: a < b & `c` {{< var x >}}" in pages["index.html"].visible
    assert "first <class>" in pages["methods.html"].visible


def test_every_page_is_signed(page):
    (footer,) = page.all("footer")
    for part in ("run:artificial", "seed:77", "draws:1234", "resamples:567", "register-audit:", "numpy:"):
        assert part in footer.text


def test_every_cited_work_is_listed(page):
    cited = {link.attributes["href"] for link in page.all("a") if link.attributes["href"].startswith("#ref-")}
    listed = {f"#{ident}" for ident in page.idents if ident.startswith("ref-")}
    assert cited == listed


def test_the_works_named_in_the_methods_are_cited_somewhere(pages):
    cited = {ident for page in pages.values() for ident in page.idents if ident.startswith("ref-")}
    needed = ("parodi2026", "darcet2024", "oquab2024", "simeoni2025", "jiang2025", "jonas2017")
    assert {f"ref-{key}" for key in (*needed, "holm1979", "phipson2010", "efron1987")} <= cited


def test_ablation_numbers_are_those_of_the_file(rendered, pages):
    page = pages["results.html"]
    for task in ("classification", "retrieval", "correspondence", "segmentation"):
        rows = [row for row in rendered.rows("tables/ablation.csv") if row["task"] == task]
        shown = [row for row in page.table(f"ablation-scenes-{task}-table") if len(row) == 9][1:]
        assert len(shown) == len(rows)
        for cells, row in zip(shown, rows, strict=True):
            assert cells[0] == row["condition"]
            assert float(cells[1]) == pytest.approx(100 * float(row["value"]), abs=0.0501)
            if not row["delta"]:
                assert cells[3:] == ["–"] * 6
                continue
            delta = float(cells[3].replace("−", "-"))
            assert delta == pytest.approx(100 * float(row["delta"]), abs=0.0501)
            low, high = (float(end) for end in cells[4].replace("−", "-").strip("[]").split(","))
            assert low == pytest.approx(100 * float(row["delta_low"]), abs=0.0501)
            assert high == pytest.approx(100 * float(row["delta_high"]), abs=0.0501)
            assert cells[5:] == ["0.0008", "0.0101", "0.0123", "3.2e−7"]


def test_replacement_numbers_are_those_of_the_file(rendered, pages):
    for task in ("classification", "retrieval", "correspondence", "segmentation"):
        spans, titles, *shown = pages["results.html"].table(f"replacements-scenes-{task}")
        assert spans[1:] == [task.capitalize()]
        assert titles[1:4] == ["bottleneck_s", "sink_s", "dinov3_random_s"]
        assert shown == [
            [row["condition"], *(value for column, value in row.items() if column.startswith(f"{task}/"))]
            for row in rendered.rows("tables/replacement.csv")
        ]


def test_published_numbers_keep_their_digits(pages):
    shown = pages["results.html"].table("published-replacements")[2:]
    labels = ("Full", "Zero registers", "Mean-sub", "Noise-sub", "Shuffle")
    assert shown == [
        [label, *(f"{10 * (row + 1)}.{column}0" for column in range(6))] for row, label in enumerate(labels)
    ]
    assert "98765" not in pages["results.html"].visible


def test_checks_are_those_of_the_file(rendered, pages):
    shown = [row for row in pages["known_answers.html"].table("checks") if len(row) == 6][1:]
    rows = rendered.rows("tables/known_answers.csv")
    assert [cells[0].split()[-1] for cells in shown] == [
        {"true": "passed", "false": "failed"}[row["passed"]] for row in rows
    ]
    assert [cells[4] for cells in shown] == ["0.1357", "0.9753", "2.5e−7", "not measured"]


def test_claims_keep_verdict_and_digits(rendered, pages):
    shown = [row for row in pages["audit.html"].table("all-claims") if len(row) == 7][1:]
    rows = rendered.rows("audit/claims.csv")
    assert len(shown) == len(rows)
    for cells, row in zip(shown, rows, strict=True):
        sign, _, verdict = cells[0].partition(" ")
        aside = " another reading: contradicted" if row["id"] == "sum" else ""
        assert (len(sign), verdict) == (1, row["verdict"] + aside)
        assert cells[2:4] == ["33.30", "≤ 33.3"]
        for number in filter(None, row["numbers"].split(";")):
            assert number in cells[6]


def test_every_claim_says_what_the_run_measured(rendered, pages):
    shown = [row[5] for row in pages["audit.html"].table("all-claims") if len(row) == 7][1:]
    said = {"reproduced": "✓ reproduced 2 of 2 numbers", "not reproduced": "✕ not reproduced 2 of 2 numbers"}
    claims = rendered.rows("audit/reproduced.csv")
    assert shown == [said.get(row["reproduced"], "not measured") for row in claims]
    assert "reproduced: 1; not reproduced: 1; not measured: 4" in pages["audit.html"].visible


def test_claims_can_be_filtered_by_what_stands_in_their_rows(rendered, pages):
    marked = [e for e in pages["audit.html"].elements if "data-verdict" in e.attributes]
    for element, row in zip(marked, rendered.rows("audit/claims.csv"), strict=True):
        keys = ("verdict", "severity", "place")
        assert {key: element.attributes[f"data-{key}"] for key in keys} == {key: row[key] for key in keys}
        assert element.attributes.get("data-rank", "") == row["rank"]
    script = pages["audit.html"].all("script")[0].text
    for key in ("verdict", "severity", "place", "run"):
        assert f'"{key}")' in script


def test_the_gravest_findings_stand_first_with_picture_and_link(pages):
    page = pages["audit.html"]
    cards = [e for e in page.elements if e.attributes.get("class") == "finding"]
    assert len(cards) == 3
    for card, name in zip(cards, ("wrong", "leap", "apart"), strict=True):
        assert f"Claim {name}:" in card.text
    pictures = [image for image in page.all("img") if "finding" in image.attributes["alt"]]
    assert len(pictures) == 3


def test_a_finding_has_its_claim_verdict_arithmetic_and_points(pages):
    page = pages["finding-apart.html"]
    assert "Claim apart: that a < b & <script>alert(1)</script>" in page.visible
    for part in ("sources disagree", "44.4", "is not 55.5", "fig/f/a/M/S/x < y/R1", "a number is off"):
        assert part in page.visible
    (row,) = page.table("numbers-table")[1:]
    assert row[:4] == ["parts", "M < N · x", "44.4", "44.35 to 44.45"]
    ranks = {name: pages[name].all("h1")[0].text.strip() for name in FINDINGS}
    assert ranks["finding-wrong.html"] == "Finding 1 of 3"


def test_values_that_differ_between_documents_are_listed_and_older_versions_are_not(pages):
    (row,) = pages["audit.html"].table("sources")[1:]
    assert row[0] == "a quantity < 0"
    assert row[2:] == ["10.81 points", "0.22"]
    assert "3 pairs of values for the same quantity" in pages["audit.html"].visible


def test_sections_are_those_of_the_file(rendered, pages):
    shown = pages["audit.html"].table("sections")[1:]
    for cells, row in zip(shown, rendered.rows("audit/summary.csv"), strict=True):
        wanted = [row[column] for column in ("none", "rounding", "number", "conclusion")]
        assert cells[:2] == [row["place"], row["claims"]]
        assert [cell.replace("–", "0") for cell in cells[2:6]] == wanted


def test_verdict_counts_add_up(pages):
    counts = [int(row[1]) for row in pages["audit.html"].table("verdict-counts")[1:]]
    assert counts == [1, 1, 0, 0, 0, 1, 0, 1, 1, 1]  # in the order of the verdicts, most favourable first
    assert (
        "Of 6 claims, 3 do not hold, from 3 defects, and 2 of these affect a conclusion" in pages["audit.html"].visible
    )
    failing = pages["audit.html"].table("findings")[1:]
    assert [row[0].split(" ", 1)[1] for row in failing] == ["contradicted", "unsupported", "sources disagree"]


def test_the_overview_states_the_three_answers(pages):
    text = pages["index.html"].visible
    assert "3 of 6 claims do not hold" in text
    assert "2 of 4 checks with a known answer passed" in text
    assert "No model in this run has DINO’s weights" in text


def test_counts_of_images_and_classes_are_those_of_the_pack(pages):
    shown = {row[0]: row[1:] for row in pages["methods.html"].table("data-sets-table") if len(row) == 3}
    assert shown["calibration"] == ["1,313", "5"]
    assert shown["train"] == ["1,818", "6"]
    assert shown["test"] == ["1,111", "7"]
    assert shown["all images"] == ["4,242", "7"]
    assert shown["image pairs"][0] == "313"
    assert "chance is 10.0 to 25.0 %" in pages["methods.html"].visible


def test_the_definition_stands_under_each_ablation_table(pages):
    text = pages["results.html"].visible
    assert "1,111 image pairs, permuted as 17 clusters" in text
    for part in ("1,111 images", "90 %", "Tango’s score interval", "1,234 draws", "dataset × task × readout"):
        assert part in text


def test_comparisons_are_those_of_the_file(pages):
    page = pages["statistics.html"]
    row, extra = [cells for cells in page.table("comparison-cls_buffering-scenes") if len(cells) == 10][1:]
    assert row[0] == "bottleneck_s, sink_s"
    assert row[1].endswith("different")
    assert row[2:6] == ["−11.1", "−22.2", "−11.1", "[−20.0, −5.0]"]
    assert row[6:] == ["0.0321", "0.0521", "0.0421", "0.0621"]
    assert extra[1].endswith("undecided 9,876 to 9,999 to decide")
    assert extra[2:6] == ["−1.0", "−2.0", "−1.0", "[−2.0, +1.0]"]
    assert "cycle_consistency" in page.visible
    assert "Is a < b?" in page.visible
    assert "This comparison needs the scales S and H on the same units, under zero_registers." in page.visible


def test_equivalence_names_margin_reason_and_the_sample_that_would_decide(pages):
    page = pages["statistics.html"]
    assert page.table("margins")[1] == ["every task", "1.2", "less < than nothing"]
    (cells,) = [row for row in page.table("equivalence-scenes")[1:] if len(row) == 2]
    assert cells == ["zero_registers", "? +0.4"]
    assert page.table("undecided-scenes")[-1][-3:] == ["1,111", "+1.2", "54,321 to 98,765"]


def test_statistics_are_those_of_the_files(pages):
    page = pages["statistics.html"]
    # All registers at once; pairs of them are in the file alone.
    assert page.table("additivity-scenes")[-1][2:6] == ["−50.0", "−20.0", "−30.0", "[−35.0, −25.0]"]
    assert "−77.0" not in page.visible
    assert page.table("random-patches-scenes")[-1][1:] == [
        *("−30.0", "−2.0", "0.66", "[−3.0, −1.0]", "−28.0", "[−30.0, −26.0]", "0.0777"),
    ]
    # The class whose interval holds 0 is counted, and not named.
    assert page.table("classes-scenes")[-1][1:] == ["−7.0", "2", "1", "0", "dog<b> −4.0 (−40.0 [−61.0, −20.0])"]
    # The last layer, and every variant that was measured.
    assert page.table("ranks-scenes")[-1][1:] == ["60", "5.2", "[4.8, 5.8]", "[4.2, 6.2]", "15.2"]
    assert page.table("compression-scenes")[-1][1:] == ["8.6", "4.3", "50.0", "[45.0, 55.0]", "0.0999", "7.0"]
    ratios = page.table("divergence-ratios-scenes")
    assert ratios[-2][3:] == ["250", "[200, 300]"]
    assert ratios[-1][3:] == ["rounding", "–"]
    assert page.table("trends-scenes")[-1][4:] == ["4, 1", "−0.05", "✕ not monotone"]
    assert page.table("readouts-scenes")[-1][2:] == ["−11.0", "−31.0", "−20.0", "[−25.0, −15.0]", "0.0888"]
    assert page.table("probe-variance-scenes")[-1][3:] == ["1.00", "2.00", "7.2", "[−32.0, −28.0]", "[−34.4, −25.6]"]


def test_error_rates_are_the_committed_ones_and_of_this_code(pages):
    with ERROR_RATES.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    page = pages["statistics.html"]
    shown = [cells for cells in page.table("error-rates")[1:] if len(cells) == 8]
    # A note says why a band is wide.
    assert [cells[0] for cells in shown] == [row["data"] + row["note"] for row in rows]
    for cells, row in zip(shown, rows, strict=True):
        assert float(cells[4]) == pytest.approx(100 * float(row["rate"]), abs=0.051)
    assert rows[0]["code"] in page.visible
    assert "The code that produced this report is the code that was simulated." in page.visible


def test_random_weights_are_said_to_show_nothing(pages):
    assert "dinov3_random_s" in pages["results.html"].visible
    assert "no evidence about the trained models" in pages["results.html"].visible


def test_the_methods_explain_every_column_of_every_table(pages):
    page = pages["methods.html"]
    for folder, kinds in (("tables", TABLES), ("tests", TESTS), ("audit", AUDIT)):
        for name, kind in kinds.items():
            shown = dict(page.table(f"columns-{folder}-{name}")[1:])
            assert shown == {column: " ".join(meaning.split()) for column, meaning in glossary(kind).items()}
    assert "value minus the value under full, on the same units (fraction)" in page.visible
