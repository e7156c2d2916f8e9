"""What happens inside: summaries of measures, curves over layers, held to hand-made numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.figure import Figure
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from analysis.engine.medians import bootstrap_weights
from analysis.engine.ratios import ratio_of_means_interval
from analysis.figures import layers
from analysis.figures.conditions import delta_heatmap
from analysis.figures.layers import layer_figures
from analysis.outcomes.files import primary, read_outcomes
from analysis.outcomes.measures import LayerMeasures, MeasureError, read_measures
from analysis.rows.chance import Chance
from analysis.rows.frames import frame_of
from analysis.rows.layers import CompressionRow, CurveRow, LayerMeasureRow
from analysis.statistics.attention import Attention, divergence_ratio_rows, trend_rows
from analysis.statistics.geometry import Compression, compression_rows
from analysis.statistics.layer_curves import curve_rows
from analysis.statistics.layer_measures import layer_measure_rows
from config.analysis import AnalysisSettings
from config.conditions import Condition
from config.layout import EMPTY_FIGURE, LAYER_FIGURES
from config.settings import load_settings


@pytest.fixture
def settings(tmp_path: Path) -> AnalysisSettings:
    path = tmp_path / "settings.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "run": "layers",
                "seed": 1,
                "datasets": {
                    "scenes": {"source": "scenes", "image_size": 64, "tasks": ["classification", "correspondence"]}
                },
                "models": {f"m_{s.lower()}": {"source": "known_answer", "family": "open", "scale": s} for s in "SB"},
                "conditions": {
                    "full": {},
                    "zero_registers": {"tokens": ["registers"], "by": "zero"},
                    "zero_random_patches": {"tokens": ["random_patches"], "by": "zero", "draws": 2},
                },
                "analysis": {
                    **{"draws": 199, "resamples": 400, "level": 0.9, "families": ["task"], "alpha": 0.05},
                    **{"margins": {"default": {"margin": 0.01, "reason": "a test"}}},
                    **{"comparisons": {}, "compressions": []},
                },
            },
            sort_keys=False,
        )
    )
    return load_settings(path).for_analysis


def measures(n: int) -> pd.DataFrame:
    rows = [
        {
            "unit": f"u{k}",
            "condition": condition,
            "layer": layer,
            "effective_rank": k + layer,
            "cosine_r1_r2": 0.5,
            "mass_cls_to_r1": 0.1,
            "mass_cls_to_registers": 0.4,
            "nearest_r1": float(k),
            "nearest_r1_cosine": 0.9,
            "js": k / 10 if k < 4 else np.nan,
        }
        for k in range(n)
        for condition in ("zero_registers", "full")
        for layer in (1, 0)
    ]
    return pd.DataFrame(rows)


def save(folder: Path, name: str, frame: pd.DataFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(folder / name, index=False)


def gather_measures(folder: Path, settings: AnalysisSettings) -> pd.DataFrame:
    models = {"m_s": ("open", "S"), "m_b": ("open", "B")}
    found = read_measures(folder, models, ["scenes"])
    rows = [row for one in found for row in layer_measure_rows(one, Attention.of(one, settings), settings)]
    return frame_of(LayerMeasureRow, rows)


def layer_curves(folder: Path, settings: AnalysisSettings) -> pd.DataFrame:
    found = [one for path in sorted(folder.glob("*/m_*.parquet")) for one in read_outcomes(path)]
    return frame_of(CurveRow, curve_rows(found, settings))


def test_measures_are_summarised_over_all_shards(tmp_path: Path, settings: AnalysisSettings) -> None:
    whole = measures(9)
    folder = tmp_path / "m_s" / "scenes"
    save(folder, "1-of-2.parquet", whole[whole["unit"] < "u4"])
    save(folder, "2-of-2.parquet", whole[whole["unit"] >= "u4"])
    save(folder, "1-of-2.spectra.parquet", pd.DataFrame({"share_sum": [1.0]}))
    table = gather_measures(tmp_path, settings)
    assert set(table["model"]) == {"m_s"} and set(table["scale"]) == {"S"}
    # In the order of the config, of layers, and of the file's columns; single registers under full alone.
    assert list(dict.fromkeys(table["condition"])) == ["full", "zero_registers"]
    full = table[(table["condition"] == "full") & (table["layer"] == 1)].set_index("measure")
    assert list(full.index) == [
        *("effective_rank", "cosine_r1_r2", "mass_cls_to_r1", "mass_cls_to_registers", "nearest_r1_cosine", "js"),
    ]
    zeroed = table[table["condition"] == "zero_registers"]
    assert set(zeroed["measure"]) == {"effective_rank", "mass_cls_to_registers", "js"}
    # 1 … 9: median 5, quartiles 3 and 7. And 0, 0.1, 0.2, 0.3 for the four images whose attention was measured.
    assert full.loc["effective_rank", ["n", "median", "quartile_1", "quartile_3", "mean"]].tolist() == [9, 5, 3, 7, 5]
    assert full.loc["js", ["n", "median"]].tolist() == pytest.approx([4, 0.15])


def test_nothing_measured_is_an_empty_table_and_a_sentence(tmp_path: Path, settings: AnalysisSettings) -> None:
    save(tmp_path / "m_s" / "scenes", "1-of-1.parquet", measures(1).iloc[:0])
    table = gather_measures(tmp_path, settings)
    assert table.empty and list(table.columns)[:3] == ["dataset", "model", "family"]
    layer_figures(table, layer_curves(tmp_path, settings), Chance(0.1, 0.1), settings, tmp_path / "figures")
    drawn = list((tmp_path / "figures").glob("*.svg"))
    assert sorted(path.stem for path in drawn) == sorted(LAYER_FIGURES)
    assert all(f'id="{EMPTY_FIGURE}"' in path.read_text() for path in drawn)


def test_outliers_of_norm_are_drawn_at_the_layers_that_have_them(
    tmp_path: Path, settings: AnalysisSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two images of four have outliers from layer 2 on, as in networks without registers."""
    frame = pd.concat(
        pd.DataFrame(
            {
                "unit": [f"u{k}" for k in range(4)],
                "condition": condition,
                "layer": layer,
                "patch_norm": np.array([1.0, 2.0, 3.0, 4.0]) * 10**layer,
                "high_norm_share": [0.0, 0.0, 0.0, 0.1] if layer >= 2 else 0.0,
            }
        )
        for condition in ("full", "zero_registers")
        for layer in range(4)
    )
    save(tmp_path / "m_s" / "scenes", "1-of-1.parquet", frame)
    caught: list[Figure] = []
    monkeypatch.setattr(layers, "save", lambda figure, path: caught.append(figure))
    table = gather_measures(tmp_path, settings)
    layers.norm_figure(table, {"full": "Full", "zero_registers": "Zero"}, tmp_path / "norms.svg")
    norms, shares = caught[0].axes
    assert norms.get_yscale() == "log" and shares.get_yscale() == "linear" and shares.get_ylim()[0] == 0
    assert [line.get_label() for line in norms.lines] == ["Full", "Zero"]
    for condition in (0, 1):
        np.testing.assert_allclose(norms.lines[condition].get_ydata(), [2.5, 25, 250, 2500])
        median, mean = shares.lines[2 * condition : 2 * condition + 2]
        np.testing.assert_allclose(median.get_ydata(), 0)
        np.testing.assert_allclose(mean.get_ydata(), [0, 0, 2.5, 2.5])


def test_a_file_without_its_keys_is_an_error_that_names_it(tmp_path: Path, settings: AnalysisSettings) -> None:
    save(tmp_path / "m_b" / "scenes", "1-of-1.parquet", measures(2).drop(columns="layer"))
    with pytest.raises(MeasureError, match=r"m_b/scenes/1-of-1\.parquet: missing column 'layer'"):
        gather_measures(tmp_path, settings)


def ranks(settings: AnalysisSettings, base: np.ndarray, changed: np.ndarray) -> CompressionRow:
    """The compression of ranks under a condition, one image each."""
    rows = [
        {"unit": f"u{place:03}", "condition": condition, "layer": 0, "effective_rank": rank}
        for condition, of in (("full", base), ("zero_registers", changed))
        for place, rank in enumerate(of)
    ]
    (row,) = compression_rows([LayerMeasures("m_s", "open", "S", "scenes", pd.DataFrame(rows))], settings)
    return row


def test_interval_and_p_of_a_compression_never_disagree(settings: AnalysisSettings) -> None:
    # Medians and means of skewed ranks need not move together, and the interval of one says nothing of the other.
    weights = bootstrap_weights(60, resamples=400, key=(1, "agreement"))
    alpha, disagreed = 1 - settings.level, 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        base = generator.lognormal(1.5, 0.8, size=60)
        changed = base * generator.lognormal(-0.12, 0.35, size=60)
        found = Compression.of(base, changed, weights, settings, "here")
        assert found.p is not None
        assert (found.interval.low > 0 or found.interval.high < 0) == (found.p < alpha)
        disagreed += (found.p < alpha) != (stats.ttest_rel(base, changed).pvalue < alpha)
    # So the assertion above is one that the mean difference, which was tested before, would not have met.
    assert disagreed > 10


def test_a_compression_is_in_the_table_with_interval_and_p(settings: AnalysisSettings) -> None:
    generator = np.random.default_rng(1)
    base = generator.lognormal(1.5, 0.4, size=60)
    row = ranks(settings, base, 0.7 * base * generator.lognormal(0, 0.05, size=60))
    assert row.compression == pytest.approx(0.3, abs=0.1)
    assert row.low < row.compression < row.high and row.interval == "log ratio t"
    assert row.p is not None and row.p == row.p_holm and row.p < 0.01
    assert row.detectable is not None and 0 < row.detectable < 0.3


def test_a_compression_that_is_detectable_is_detected(settings: AnalysisSettings) -> None:
    weights = bootstrap_weights(50, resamples=400, key=(1, "detectable"))
    base, other = np.exp(2 + np.random.default_rng(5).normal(0, 0.1, size=(2, 500, 50)))

    def compared(changed: np.ndarray) -> list[Compression]:
        return [Compression.of(*pair, weights, settings, "here") for pair in zip(base, changed, strict=True)]

    detectable = np.median([one.detectable for one in compared(other)])
    found = [one.p is not None and one.p < settings.alpha for one in compared((1 - detectable) * other)]
    # The bootstrap standard error of a median is too large rather than too small, and so is what is said of it.
    assert 0.75 < np.mean(found) < 0.93


def test_ranks_without_a_ratio_have_no_interval_and_a_reason(settings: AnalysisSettings) -> None:
    alone = ranks(settings, np.array([3.0]), np.array([2.0]))
    assert (alone.interval, alone.p, alone.p_holm, alone.detectable, alone.n) == ("none", None, None, None, 1)
    assert alone.compression == pytest.approx(1 / 3)
    with pytest.warns(
        UserWarning, match=r"m_s under full and m_s under zero_registers, layer 0, scenes: a rank of 0 is"
    ):
        empty = ranks(settings, np.array([3.0, 2.0, 4.0]), np.array([2.0, 0.0, 3.0]))
    assert (empty.interval, empty.p, np.isnan(empty.low)) == ("none", None, True)


def attended(divergence: dict[str, np.ndarray]) -> LayerMeasures:
    """Divergences of two conditions by image (rows) and layer (columns)."""
    rows = [
        {"unit": f"u{unit:03}", "condition": condition, "layer": layer, "js": value}
        for condition, of in divergence.items()
        for (unit, layer), value in np.ndenumerate(of)
    ]
    return LayerMeasures("m_s", "open", "S", "scenes", pd.DataFrame(rows))


def test_divergence_ratios_are_those_of_the_means_whichever_way_round(settings: AnalysisSettings) -> None:
    mean = Condition("mean_registers", ("registers",), "mean")
    chosen = replace(settings, conditions={**settings.conditions, mean.name: mean})
    generator = np.random.default_rng(6)
    below = generator.lognormal(-5, 1, size=(80, 1))
    above = 9 * below * generator.lognormal(0, 0.5, size=(80, 1))
    one = attended({"zero_registers": above, "mean_registers": below})
    attention = Attention.of(one, chosen)
    assert attention is not None
    (row,) = divergence_ratio_rows(attention, chosen)
    assert row.ratio == pytest.approx(above.mean() / below.mean())
    inverse = ratio_of_means_interval(above[:, 0], below[:, 0], settings.level)
    assert (row.low, row.high) == pytest.approx((1 / inverse.high, 1 / inverse.low))
    assert row.low is not None and row.high is not None and 0 < row.low < row.ratio < row.high


def test_a_divergence_of_nothing_is_no_outcome_of_0_or_1(settings: AnalysisSettings) -> None:
    attention = Attention.of(attended({"zero_registers": np.zeros((30, 3))}), settings)
    assert attention is not None
    mean = attention.mean_interval("js", "zero_registers", 0, 0.9)
    assert mean is not None and (mean.low, mean.high) == (0, 0)
    (trend,) = trend_rows(attention, settings)
    assert (trend.reading, trend.shown_with, trend.shown_against) == ("undecided", 0, 0)


def outcomes(right: dict[tuple[str, str, int], int]) -> pd.DataFrame:
    """100 units, of which so many are right: condition, features and layer → how many."""
    rows = [
        {
            **{"dataset": "scenes", "task": "classification", "model": "m_s", "family": "open", "scale": "S"},
            **{"condition": condition, "readout": readout, "features": features, "layer": layer, "refit": refit},
            **{"unit": f"u{k:03d}", "category": "", "numerator": float(k < n and not refit), "denominator": 1.0},
        }
        for (condition, features, layer), n in right.items()
        for readout in ("matched", "frozen")
        for refit in (0, 1)
        for k in range(100)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def test_curves_hold_every_token_and_layer_with_its_interval(tmp_path: Path, settings: AnalysisSettings) -> None:
    right = {("full", "cls", 3): 40, ("full", "cls", 5): 70, ("full", "r1", 3): 20, ("full", "r1", 5): 0}
    save(tmp_path / "classification", "m_s.parquet", outcomes({**right, ("zero_registers", "cls", 5): 60}))
    table = layer_curves(tmp_path, settings)
    assert {(row.condition, row.features, row.layer): round(100 * row.value) for row in table.itertuples()} == right
    assert set(table["n"]) == {100} and set(table["level"]) == {0.9}
    row = table.set_index(["features", "layer"]).loc[("cls", 3)]
    low, high = proportion_confint(40, 100, alpha=0.1, method="wilson")
    assert row["value_low"] == pytest.approx(low, abs=0.02) and row["value_high"] == pytest.approx(high, abs=0.02)


def test_a_task_is_reported_by_its_own_token_after_the_last_layer(tmp_path: Path) -> None:
    right = {("full", "cls", 3): 40, ("full", "cls", 5): 70, ("full", "r1", 5): 20, ("zero_registers", "cls", 5): 60}
    save(tmp_path, "m_s.parquet", outcomes(right))
    by_readout = {one.readout: one for one in primary(read_outcomes(tmp_path / "m_s.parquet"))}
    assert set(by_readout) == {"matched", "frozen"}
    matched = by_readout["matched"].conditions
    assert {name: round(100 * counts.value()) for name, counts in matched.items()} == {"full": 70, "zero_registers": 60}


def test_draws_of_random_patches_share_a_column_of_the_heat_map(tmp_path: Path, settings: AnalysisSettings) -> None:
    names = ("full", "zero_registers", "zero_random_patches_1", "zero_random_patches_2")
    assert tuple(settings.conditions) == names
    table = pd.DataFrame(
        {
            **{"task": "classification", "metric": "accuracy", "model": "m_s", "readout": "matched"},
            "condition": names,
            "delta": [np.nan, -0.25, -0.02, -0.04],
        }
    )
    delta_heatmap(table, settings, tmp_path / "map.svg")
    text = "\n".join(line for line in (tmp_path / "map.svg").read_text().splitlines() if line.startswith("    <!--"))
    assert "-25.0" in text and "-3.0" in text and "-2.0" not in text
