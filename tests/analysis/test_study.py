"""Every part of the analysis on data whose answers are known by construction."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.engine.medians import bootstrap_medians, bootstrap_weights, jackknife_medians
from analysis.engine.metric import Counts
from analysis.outcomes.files import EveryUnit, Outcomes
from analysis.outcomes.groups import TaskOutcomes
from analysis.outcomes.measures import LayerMeasures, MeasureError, read_measures
from analysis.statistics.ablation import ablation_rows
from analysis.statistics.study import Study, study
from config.analysis import AnalysisSettings, Comparison, Margin
from config.conditions import Condition

UNITS = 400
REGISTERS = ("r1", "r2", "r3", "r4")


def conditions() -> dict[str, Condition]:
    """Every set of registers under a name that says nothing, all of them, CLS, and three draws of patches."""
    found = [Condition("full"), Condition("everything", ("registers",), "zero"), Condition("c", ("cls",), "zero")]
    for size in (1, 2, 3):
        found += [Condition(f"set_{'_'.join(one)}", one, "zero") for one in itertools.combinations(REGISTERS, size)]
    found += [Condition(f"patches_{draw}", ("random_patches",), "zero", of="patches") for draw in (1, 2, 3)]
    return {one.name: one for one in found}


def settings(**changes: object) -> AnalysisSettings:
    chosen = {
        "seed": 1,
        "datasets": MappingProxyType({"scenes": ("classification",)}),
        "models": ("a_s", "b_s", "a_b"),
        "conditions": MappingProxyType(conditions()),
        "draws": 999,
        "resamples": 400,
        "level": 0.95,
        "families": ("dataset", "task", "readout"),
        "alpha": 0.05,
        "margins": MappingProxyType({"default": Margin(0.02, "chosen for this test")}),
        "comparisons": (),
        "compressions": (),
    }
    return AnalysisSettings(**{**chosen, **changes})  # type: ignore[arg-type]


def right(share: float, units: int = UNITS, shift: int = 0) -> Counts:
    """The first units of a rotated row succeed: exactly this share of them."""
    hits = np.roll(np.arange(units) < round(share * units), shift).astype(float)
    return Counts(hits[:, None], np.ones((units, 1)))


def outcomes(model: str, values: Mapping[str, Counts], readout: str = "matched", refit: int = 0) -> Outcomes:
    family, scale = model.split("_")
    units = next(iter(values.values())).units
    return Outcomes(
        dataset="scenes",
        task="classification",
        model=model,
        family=family,
        scale=scale.upper(),
        readout=readout,
        features="cls",
        layer=5,
        refit=refit,
        size=units,
        units=tuple(f"{unit:04}" for unit in range(units)),
        categories=("",),
        conditions=MappingProxyType(dict(values)),
    )


def loss(tokens: tuple[str, ...]) -> float:
    """Each register alone costs 0.02 times its number; together they cost the square of the sum, tenfold."""
    total = sum(0.02 * int(token[1]) for token in (REGISTERS if tokens == ("registers",) else tokens))
    return total if len(tokens) == 1 and tokens != ("registers",) else 10 * total**2


def lesioned() -> Study:
    values = {"full": right(0.9)}
    for condition in conditions().values():
        if condition.tokens == ("random_patches",):
            values[condition.name] = right(0.9 - 0.01 * int(condition.name[-1]))
        elif condition.tokens and condition.tokens != ("cls",):
            values[condition.name] = right(0.9 - min(loss(condition.tokens), 0.85))
    return study([outcomes("a_s", values)], [], settings())


@pytest.fixture(scope="module")
def lesions() -> Study:
    return lesioned()


def test_additivity_is_read_from_tokens_and_has_the_constructed_excess(lesions: Study) -> None:
    table = lesions.tables["additivity"].set_index("condition")
    # Six pairs, four triples, and all of them.
    assert len(table) == 11
    pair = table.loc["set_r1_r2"]
    assert pair["registers"] == "r1 r2"
    assert pair["delta"] == pytest.approx(-10 * 0.06**2, abs=0.0013)  # shares are whole units
    assert pair["predicted"] == pytest.approx(-0.06, abs=1e-9)
    assert pair["excess"] == pytest.approx(-0.036 + 0.06, abs=0.0013)
    assert pair["reading"] == "sub-additive"
    everything = table.loc["everything"]
    assert (everything["size"], everything["registers"]) == (4, "r1 r2 r3 r4")
    assert everything["predicted"] == pytest.approx(-0.2, abs=1e-9)
    assert everything["delta"] == pytest.approx(-0.4, abs=1e-9)
    assert everything["reading"] == "super-additive"
    assert (table["excess_low"] <= table["excess"]).all()
    assert (table["excess"] <= table["excess_high"]).all()


@pytest.mark.parametrize(
    ("singles", "together", "reading"),
    [
        ((-0.05, -0.1), -0.4, "super-additive"),
        ((-0.15, -0.2), -0.1, "sub-additive"),
        ((0.1, 0.15), 0.04, "sub-additive"),
        ((0.02, 0.03), 0.3, "super-additive"),
        ((0.03, 0.03), -0.3, "opposite"),
        ((-0.15, -0.15), 0.2, "opposite"),
        ((0.0025, 0.0), -0.3, "super-additive"),  # one unit more right, which shows nothing
        ((-0.15, -0.15), 0.0025, "sub-additive"),
        ((-0.05, -0.05), -0.1, "neither shown"),
    ],
)
def test_additivity_is_of_the_size_of_a_change_be_it_a_loss_or_a_gain(
    singles: tuple[float, float], together: float, reading: str
) -> None:
    stated = {
        one.name: one
        for one in (
            Condition("full"),
            Condition("x", ("r1",), "zero"),
            Condition("y", ("r2",), "zero"),
            Condition("both", ("registers",), "zero"),
        )
    }
    shares = {"full": 0.6, "x": 0.6 + singles[0], "y": 0.6 + singles[1], "both": 0.6 + together}
    found = study(
        [outcomes("a_s", {name: right(share) for name, share in shares.items()})],
        [],
        settings(conditions=MappingProxyType(stated)),
    )
    (row,) = found.tables["additivity"].to_dict("records")
    assert row["reading"] == reading


def test_the_cumulative_curve_is_the_mean_over_all_orders(lesions: Study) -> None:
    table = lesions.tables["cumulative"].set_index("step")
    assert set(table["orders"]) == {24}
    for step in (1, 2, 3, 4):
        expected = np.mean([-loss(order[:step]) for order in itertools.permutations(REGISTERS)])
        assert table.loc[step, "delta"] == pytest.approx(expected, abs=0.0013)  # shares are whole units
        assert table.loc[step, "predicted"] == pytest.approx(-0.05 * step, abs=1e-9)
    assert table.loc[2, "least"] == pytest.approx(-10 * 0.06**2, abs=0.0013)
    assert table.loc[2, "most"] == pytest.approx(-10 * 0.14**2, abs=0.0013)
    assert table.loc[1, ["excess", "excess_low", "excess_high"]].eq(0).all()


def test_orders_without_a_measured_step_are_left_out() -> None:
    some = {name: one for name, one in conditions().items() if one.tokens not in (("r1", "r2"), ("r1", "r3"))}
    values = {name: right(0.9 - 0.01 * len(one.tokens)) for name, one in some.items() if "patches" not in name}
    found = study([outcomes("a_s", values)], [], settings(conditions=MappingProxyType(some)))
    # Of 24 orders, eight begin with one of the two pairs.
    assert set(found.tables["cumulative"]["orders"]) == {16}


def test_random_patches_are_described_by_their_draws(lesions: Study) -> None:
    (row,) = lesions.tests["random_patches"].to_dict("records")
    assert (row["condition"], row["control"], row["draws_of_patches"]) == ("everything", "patches", 3)
    assert row["random_mean"] == pytest.approx(-0.02, abs=1e-9)
    assert row["random_spread"] == pytest.approx(0.01, abs=1e-9)
    assert (row["random_least"], row["random_most"]) == pytest.approx((-0.01, -0.03))
    assert row["difference"] == pytest.approx(-0.4 + 0.02, abs=1e-9)
    assert row["as_large"] == 0
    assert row["p"] == row["p_smallest"] == row["p_holm"]


def test_controls_of_one_task_are_adjusted_together() -> None:
    shares = {name: 0.9 - 0.02 * (name == "everything") for name in conditions() if name != "c"}
    some = {name: right(share) for name, share in shares.items()}
    more = {name: right(share - 0.1 * (name == "everything")) for name, share in shares.items()}
    table = study([outcomes("a_s", some), outcomes("b_s", more)], [], settings()).tests["random_patches"]
    smaller, larger = sorted(table["p"])
    assert smaller < larger < 0.05
    assert sorted(table["p_holm"]) == pytest.approx([2 * smaller, max(2 * smaller, larger)])


def test_parts_without_their_conditions_are_empty() -> None:
    found = study([outcomes("a_s", {"full": right(0.9), "c": right(0.5)})], [], settings())
    for name in ("additivity", "cumulative", "layer_measures", "compression", "probe_variance"):
        assert found.tables[name].empty
        assert len(found.tables[name].columns) > 3
    for name in ("comparisons", "random_patches", "readouts", "trends"):
        assert found.tests[name].empty


def compared(second: float, along: str = "family", readout: str = "matched") -> pd.Series:
    pair = ("a", "b") if along == "family" else ("S", "B")
    other = "b_s" if along == "family" else "a_b"
    comparison = Comparison("question", "?", along, pair, ("everything",), ())
    models = [
        outcomes("a_s", {"full": right(0.9), "everything": right(0.8)}, readout),
        outcomes(other, {"full": right(0.85, shift=3), "everything": right(0.85 - second, shift=3)}, readout),
    ]
    (row,) = study(models, [], settings(comparisons=(comparison,))).tests["comparisons"].to_dict("records")
    return pd.Series(row)


def test_a_comparison_is_the_second_delta_minus_the_first() -> None:
    row = compared(0.4)
    assert (row["base"], row["changed"], row["within"]) == ("a_s", "b_s", "S")
    assert row["base_delta"] == pytest.approx(-0.1)
    assert row["changed_delta"] == pytest.approx(-0.4)
    assert row["difference"] == pytest.approx(-0.3)
    assert row["low"] < -0.3 < row["high"] < 0
    assert row["p"] == row["p_smallest"] == 1 / 1000
    assert row["conclusion"] == "different"
    assert 0 < row["detectable"] < 0.3


def test_scales_are_compared_within_a_family() -> None:
    row = compared(0.1, along="scale")
    assert (row["base"], row["changed"], row["within"]) == ("a_s", "a_b", "a")
    assert row["difference"] == pytest.approx(0, abs=1e-12)
    assert row["conclusion"] == "undecided"
    assert row["units_high"] > UNITS


def test_other_units_have_draws_of_their_own() -> None:
    """Two groups of one task once shared their draws: their null statistics were correlated by 0.9."""
    values = {"full": right(0.9), "everything": right(0.8)}
    one = outcomes("a_s", values)
    other = replace(outcomes("b_s", values), units=tuple(f"other_{unit:04}" for unit in range(UNITS)))
    nulls = []
    for group in (one, other, replace(one, model="b_s")):
        _, permuted = ablation_rows(TaskOutcomes.of([group]), settings())
        assert permuted is not None
        nulls.append(permuted.null[:, 0])
    assert abs(np.corrcoef(nulls[0], nulls[1])[0, 1]) < 0.1
    np.testing.assert_array_equal(nulls[0], nulls[2])


def test_scores_that_do_not_vary_have_no_detectable_effect() -> None:
    half = Counts(np.full((UNITS, 1), 0.5), np.ones((UNITS, 1)))
    table = study([outcomes("a_s", {"full": half, "everything": half, "c": right(0.4)})], [], settings())
    found = table.tables["ablation"].set_index("condition")["detectable"]
    assert np.isnan(found["everything"])
    assert 0 < found["c"] < 0.1


def masks(full: tuple[float, float], changed: tuple[float, float]) -> Outcomes:
    """Two classes whose intersections are shares of 100 pixels in every image, with a little noise between images."""
    noise = np.random.default_rng(11).normal(0, 2, size=(2, UNITS, 2))
    noise -= noise.mean(axis=1, keepdims=True)
    union = np.full((UNITS, 2), 100.0)
    counts = [Counts(100 * np.array(share) + one, union) for share, one in zip((full, changed), noise, strict=True)]
    one = outcomes("a_s", {"full": counts[0], "everything": counts[1]})
    return replace(one, task="segmentation", features="patches", categories=("cat", "dog"))


def test_classes_that_move_in_opposite_directions_change_no_mean_iou() -> None:
    chosen = settings(datasets=MappingProxyType({"scenes": ("segmentation",)}))
    table = study([masks((0.5, 0.5), (0.6, 0.4))], [], chosen).tables["ablation"].set_index("condition")
    row = table.loc["everything"]
    assert row["delta"] == pytest.approx(0, abs=1e-9)
    assert (row["delta_interval"], row["p"]) == ("jackknife t", 1)
    # The test of labels is about the classes, and stands beside it.
    assert 0 < row["p_exchange"] <= 1
    moved = study([masks((0.5, 0.5), (0.63, 0.4))], [], chosen).tables["ablation"].set_index("condition")
    assert moved.loc["everything", "p"] == moved.loc["everything", "p_smallest"]
    assert np.isnan(table.loc["full", "p_exchange"])


def test_clusters_are_counted_and_told_apart() -> None:
    def clustered(model: str, members: str) -> Outcomes:
        whole = {"full": right(0.9), "everything": right(0.8)}
        groups = np.arange(UNITS) // 4
        one = outcomes(model, {name: counts.summed_over(groups) for name, counts in whole.items()})
        units = tuple(f"{unit:04}" for unit in range(UNITS))
        shift = 0 if members == "one" else 1
        clusters = tuple(f"{(unit + shift) // 4 % (UNITS // 4):04}" for unit in range(UNITS))
        return replace(one, size=UNITS, members=members, each=EveryUnit(units, clusters, whole))

    comparison = Comparison("question", "?", "family", ("a", "b"), ("everything",), ())
    chosen = settings(comparisons=(comparison,))
    found = study([clustered("a_s", "one"), clustered("b_s", "one")], [], chosen)
    assert set(found.tables["ablation"]["n"]) == {UNITS}
    assert set(found.tables["ablation"]["clusters"]) == {UNITS / 4}
    assert len(found.tests["comparisons"]) == 1
    with pytest.warns(UserWarning, match="but their clusters are not the same ones, so they are not compared"):
        found = study([clustered("a_s", "one"), clustered("b_s", "other")], [], chosen)
    assert found.tests["comparisons"].empty


def test_null_histograms_hold_every_draw_around_zero() -> None:
    comparison = Comparison("question", "?", "family", ("a", "b"), ("everything",), ())
    models = [outcomes(m, {"full": right(0.9), "everything": right(v)}) for m, v in (("a_s", 0.8), ("b_s", 0.3))]
    nulls = study(models, [], settings(comparisons=(comparison,))).tests["nulls"]
    assert nulls["draws"].sum() == 999
    middle = (nulls["low"] + nulls["high"]) / 2
    assert abs(np.average(middle, weights=nulls["draws"])) < 0.01


def test_equivalence_follows_the_size_of_the_change() -> None:
    values = {"full": right(0.9), "everything": right(0.9), "c": right(0.3)}
    table = study([outcomes("a_s", values)], [], settings()).tests["equivalence"].set_index("condition")
    assert table.loc["everything", "conclusion"] == "equivalent"
    assert table.loc["everything", "margin_reason"]
    assert table.loc["c", "conclusion"] == "different"
    assert set(table["margin"]) == {0.02}


def lost(first: int, units: int = 7) -> Counts:
    """Of 360 units that succeed under full, seven in a row fail: by itself, p = 2 / 2^7 = 0.016."""
    hits = (np.arange(UNITS) < 360).astype(float)
    hits[first : first + units] = 0
    return Counts(hits[:, None], np.ones((UNITS, 1)))


def test_a_difference_is_concluded_from_its_adjusted_p() -> None:
    many = {name: lost(18 * place) for place, name in enumerate(list(conditions())[1:])}
    (alone,) = (
        study([outcomes("a_s", {"full": right(0.9), "c": lost(0)})], [], settings())
        .tests["equivalence"]
        .to_dict("records")
    )
    assert alone["p"] == 2 / 2**7
    assert (alone["p_max_t"] < 0.05, alone["conclusion"]) == (True, "different")
    table = study([outcomes("a_s", {"full": right(0.9), **many})], [], settings()).tests["equivalence"]
    assert len(table) == len(many) == 19
    assert (table["p"] == 2 / 2**7).all()
    assert (table["p_max_t"] > 0.05).all()
    assert (table["conclusion"] == "undecided").all()
    assert (table["units_high"] > UNITS).all()
    assert (table["units_low"] <= table["units_high"]).all()
    assert (table["p_equivalence"] >= table["p_equivalence_smallest"]).all()


def test_a_comparison_is_concluded_from_its_adjusted_p() -> None:
    names = list(conditions())[1:]
    comparison = Comparison("question", "?", "family", ("a", "b"), tuple(names), ())
    models = [
        outcomes("a_s", {"full": right(0.9), **{name: right(0.9) for name in names}}),
        outcomes("b_s", {"full": right(0.9), **{name: lost(18 * place) for place, name in enumerate(names)}}),
    ]
    table = study(models, [], settings(comparisons=(comparison,))).tests["comparisons"]
    assert (table["p"] < 0.05).all()
    assert (table["p_max_t"] > 0.05).all()
    assert (table["conclusion"] == "undecided").all()


def test_frozen_minus_matched() -> None:
    models = [
        outcomes("a_s", {"full": right(0.9), "everything": right(0.8)}),
        outcomes("a_s", {"full": right(0.9), "everything": right(0.5)}, "frozen"),
    ]
    (row,) = study(models, [], settings()).tests["readouts"].to_dict("records")
    assert (row["matched_delta"], row["frozen_delta"]) == pytest.approx((-0.1, -0.4))
    assert row["difference"] == pytest.approx(-0.3)
    assert row["low"] < -0.3 < row["high"]
    assert row["p_holm"] == row["p"]


def test_refits_enter_the_interval_the_test_and_the_conclusion() -> None:
    reported = outcomes("a_s", {"full": right(0.9), "everything": right(0.6)})
    again = [
        outcomes("a_s", {"full": right(0.9 + 0.02 * k), "everything": right(0.6 - 0.03 * k)}, refit=k + 2)
        for k in (-1, 0, 1)
    ]
    alone, together = (study(models, [], settings()) for models in ([reported], [reported, *again]))
    table = together.tables["probe_variance"].set_index(["condition", "quantity"])
    assert table.loc[("full", "value"), "training_error"] == pytest.approx(0.02)
    assert table.loc[("everything", "value"), "training_error"] == pytest.approx(0.03)
    # Full rises as the condition falls: the deltas spread by both.
    row = table.loc[("everything", "delta")]
    assert row["training_error"] == pytest.approx(0.05)
    # By hand: variances add up, with Satterthwaite's degrees of freedom, near those of three refits.
    units = 0.3 * 0.7 / (UNITS - 1)
    freedom = (units + 0.05**2) ** 2 / (units**2 / (UNITS - 1) + 0.05**4 / 2)
    assert row["units_error"] == pytest.approx(np.sqrt(units), rel=1e-6)
    assert row["freedom"] == pytest.approx(freedom, rel=1e-6)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(units + 0.05**2)
    # The interval over units is a score interval, which is no t interval exactly.
    assert row["total_high"] - row["estimate"] == pytest.approx(half, rel=0.01)

    # Every table says so: the intervals, the test and the conclusion hold both errors.
    before, after = (found.tables["ablation"].set_index("condition").loc["everything"] for found in (alone, together))
    assert after["delta"] == before["delta"]
    assert (after["delta_low"], after["delta_high"]) == pytest.approx((row["total_low"], row["total_high"]))
    assert (before["delta_interval"], after["delta_interval"]) == ("score", "score and refits")
    assert before["p"] == before["p_smallest"] < after["p"] < 0.05
    assert after["p"] == pytest.approx(2 * stats.t.sf(0.3 / np.sqrt(units + 0.05**2), freedom), rel=1e-6)
    assert after["detectable"] > 3 * before["detectable"]


def test_refits_that_vary_by_the_margin_leave_equivalence_undecided() -> None:
    reported = outcomes("a_s", {"full": right(0.9), "everything": right(0.9)})
    again = [
        outcomes("a_s", {"full": right(0.9), "everything": right(0.9 + 0.02 * k)}, refit=k + 2) for k in (-1, 0, 1)
    ]
    found = [study(models, [], settings()).tests["equivalence"] for models in ([reported], [reported, *again])]
    assert [table["conclusion"].item() for table in found] == ["equivalent", "undecided"]
    # Training alone varies by as much as the margin: more units would not help.
    assert found[1]["units_high"].isna().item()


# Measures


def measures(model: str, rank: float, *, conditions: Mapping[str, float] = MappingProxyType({})) -> LayerMeasures:
    """Ranks around a median, doubled from layer to layer; divergence under conditions; attention that turns back."""
    family, scale = model.split("_")
    generator = np.random.default_rng(3)
    spread = generator.lognormal(0, 0.2, size=101)
    spread /= np.median(spread)
    rows = []
    for condition, divergence in {"full": np.nan, **conditions}.items():
        for layer in range(4):
            noise = generator.normal(1, 0.01, size=101)
            rows.append(
                pd.DataFrame(
                    {
                        "unit": [f"{unit:03}" for unit in range(101)],
                        "condition": condition,
                        "layer": layer,
                        "effective_rank": rank * 2**layer * spread,
                        "js": np.where(np.arange(101) < 40, divergence * layer * noise, np.nan),
                        "mass_cls_to_registers": np.where(
                            np.arange(101) < 40, [0.1, 0.2, 0.15, 0.3][layer] * noise, np.nan
                        ),
                        "mass_patches_to_registers": np.where(np.arange(101) < 40, 0.1 * (layer + 1) * noise, np.nan),
                    }
                )
            )
    return LayerMeasures(model, family, scale.upper(), "scenes", pd.concat(rows, ignore_index=True))


def measured(*found: LayerMeasures) -> Study:
    chosen = settings(
        conditions=MappingProxyType(
            {one.name: one for one in (*conditions().values(), Condition("mean", ("registers",), "mean"))}
        ),
        compressions=(("a", "b"),),
    )
    return study([outcomes("a_s", {"full": right(0.9), "c": right(0.5)})], list(found), chosen)


def test_effective_ranks_by_layer() -> None:
    found = measured(measures("a_s", 10.0)).tables["layer_measures"]
    table = found[found["measure"] == "effective_rank"].set_index("layer")
    np.testing.assert_allclose(table["median"], [10, 20, 40, 80])
    assert (table["quartile_1"] < table["median_low"]).all()
    assert (table["median_low"] < table["median"]).all()
    assert (table["median"] < table["median_high"]).all()
    assert (table["median_high"] < table["quartile_3"]).all()
    assert set(table["n"]) == {101}


def test_compression_between_families_and_under_conditions() -> None:
    table = measured(measures("a_s", 10.0, conditions={"everything": 0.1}), measures("b_s", 6.4)).tables["compression"]
    between = table[table["base"] != table["model"]]
    assert list(between["layer"]) == [0, 1, 2, 3]
    np.testing.assert_allclose(between["compression"], 0.36)
    # Every rank is lower by the same factor: the ratio does not vary, and p is the smallest of 101 images.
    np.testing.assert_allclose(between["low"], 0.36)
    assert (between["p"] == 2 / 2**101).all()
    assert (between["p_holm"] == 4 * between["p"]).all()
    assert between["detectable"].isna().all()
    (within,) = table[table["base"] == table["model"]].to_dict("records")
    assert (within["condition"], within["layer"]) == ("everything", 3)
    assert (within["compression"], within["p"]) == (0, 1)


def test_divergence_ratios_have_intervals_and_leave_out_rounding() -> None:
    found = measured(measures("a_s", 10.0, conditions={"everything": 0.25, "mean": 0.001}))
    table = found.tables["divergence_ratios"].set_index("layer")
    assert set(table["condition"]) == {"everything"} and set(table["base"]) == {"mean"}
    # No divergence at layer 0: a ratio would be one of nothing to nothing.
    assert np.isnan(table.loc[0, "ratio"])
    np.testing.assert_allclose(table.loc[1:, "ratio"], 250, rtol=0.02)
    assert (table.loc[1:, "low"] < table.loc[1:, "ratio"]).all()
    assert set(table["n"]) == {40}


def test_trends_are_checked_and_not_asserted() -> None:
    table = measured(measures("a_s", 10.0, conditions={"everything": 0.25})).tests["trends"]
    reading = table.set_index(["measure", "condition"])
    turning = reading.loc[("mass_cls_to_registers", "full")]
    assert (turning["reading"], turning["with_trend"], turning["against"]) == ("not monotone", 2, 1)
    assert turning["largest_against"] == pytest.approx(-0.05, abs=0.002)
    assert reading.loc[("mass_patches_to_registers", "full"), "reading"] == "monotone"
    assert reading.loc[("js", "everything"), "reading"] == "monotone"


def test_measures_are_read_by_shard_and_refused_twice(tmp_path: Path) -> None:
    frame = measures("a_s", 10.0).frame
    folder = tmp_path / "a_s" / "scenes"
    folder.mkdir(parents=True)
    frame[frame["unit"] < "050"].to_parquet(folder / "shard_0.parquet")
    frame[frame["unit"] >= "050"].to_parquet(folder / "shard_1.parquet")
    (found,) = read_measures(tmp_path, {"a_s": ("a", "S"), "b_s": ("b", "S")}, ["scenes", "photos"])
    assert len(found.values("effective_rank", "full", 2)) == 101
    assert found.values("effective_rank", "nowhere", 2).empty
    frame[frame["unit"] == "003"].to_parquet(folder / "shard_2.parquet")
    with pytest.raises(MeasureError, match=r"'003'\. Were two shards written twice"):
        read_measures(tmp_path, {"a_s": ("a", "S")}, ["scenes"])
    frame.drop(columns="layer").to_parquet(folder / "shard_2.parquet")
    with pytest.raises(MeasureError, match="missing column 'layer'"):
        read_measures(tmp_path, {"a_s": ("a", "S")}, ["scenes"])


@pytest.mark.parametrize("units", [2, 3, 10, 11])
def test_medians_from_weights_are_medians_of_what_was_drawn(units: int) -> None:
    values = np.round(np.random.default_rng(units).normal(size=units), 1)  # with ties
    weights = bootstrap_weights(units, resamples=200, key=(units, "median"))
    assert (weights.sum(axis=1) == units).all()
    expected = [np.median(np.repeat(values, row)) for row in weights]
    np.testing.assert_allclose(bootstrap_medians(values, weights), expected)
    np.testing.assert_allclose(jackknife_medians(values), [np.median(np.delete(values, i)) for i in range(units)])
