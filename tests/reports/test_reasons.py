"""Reasons of the audit as HTML: what decides comes first, and nothing is taken out of prose."""

from reports.reasons import JudgedReading, Reasons, folded, in_brief, in_full, number_list

SUM = JudgedReading("as worded", "sum", "contradicted", (["1 + 1 <= 3", {"numbers": ["t1", "fig/a < b"]}, "."],))
PAIR = JudgedReading("both", "order", "consistent", (["0.5 (a. B) < 1."], ["It holds."]))
NUMBERS = {"t1": "tables.csv", "fig/a < b": "figures.csv"}


def test_the_reading_that_decides_comes_first_and_the_others_follow_with_their_verdicts():
    reasons = Reasons((SUM, PAIR), 1, "A note.", NUMBERS)
    assert in_brief(reasons) == "Read as: both. 0.5 (a. B) < 1. It holds. A note."
    assert in_full(reasons) == [
        "<p>Read as: both. 0.5 (a. B) &lt; 1. It holds.</p>",
        '<p>Other reading (as worded): contradicted. 1 + 1 ≤ 3 <span class="source">[t1, fig/a &lt; b]</span>.</p>',
        "<p>A note.</p>",
    ]


def test_the_first_sentence_is_in_sight_and_the_whole_reason_is_folded():
    shown = folded(Reasons((SUM,), 0, "", NUMBERS))
    sight, _, details = shown.partition("<details>")
    assert sight == "1 + 1 ≤ 3."
    assert "in full, with 2 published numbers" in details
    assert details.count("t1") == 2 and 'href="published/figures.csv"' in details


def test_a_reason_of_one_sentence_without_numbers_is_not_folded():
    missing = JudgedReading("as worded", "not_checkable", "not checkable", (["The scores of every image."],))
    assert folded(Reasons((missing,), 0, "", {})) == "Not published: The scores of every image."
    assert "<summary>1 published number</summary>" in folded(Reasons((missing,), 0, "", {"t1": "tables.csv"}))


def test_numbers_are_links_to_the_files_that_have_their_rows():
    assert number_list({"a < b": "figures.csv"}) == (
        '<ul class="sources"><li><a href="published/figures.csv" download title="figures.csv">a &lt; b</a></li></ul>'
    )
    assert number_list({}) == ""
