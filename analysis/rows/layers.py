"""Rows of what is measured after every layer: geometry, attention, and what can be read from each token."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.rows.bases import AtLayer, Bounded, OfModel, OfTask, Provenance
from analysis.rows.schema import Row, column

# A mean divergence below this is rounding of float32 attention; a ratio to it would be a ratio to noise.
SMALLEST_DIVERGENCE = 1e-7


@dataclass(frozen=True, kw_only=True)
class LayerMeasureRow(AtLayer, Provenance):
    """One measure of one model, condition and layer, summarised over images.

    The median has an interval for the effective rank and, under `full`, for the other measures of geometry; the mean
    has one for divergences and, under `full`, for attention masses. The means of attention and their intervals are over
    the images that have every measure of attention.
    """

    measure: str = column("what was measured")
    n: int = column("number of images")
    median: float = column("median over images", unit="as the measure")
    median_low: float | None = column("lower end of the interval of median", unit="as the measure")
    median_high: float | None = column("upper end of the interval of median", unit="as the measure")
    median_interval: str | None = column("method of the interval of median")
    quartile_1: float = column("first quartile over images", unit="as the measure")
    quartile_3: float = column("third quartile over images", unit="as the measure")
    mean: float = column("mean over images", unit="as the measure")
    mean_low: float | None = column("lower end of the interval of mean", unit="as the measure")
    mean_high: float | None = column("upper end of the interval of mean", unit="as the measure")
    mean_interval: str | None = column("method of the interval of mean")


@dataclass(frozen=True, kw_only=True)
class ComparedRank(Row):
    """What a row is about: the effective rank of one model or condition below that of another."""

    dataset: str = column("the data set")
    base: str = column("the model compared with")
    base_condition: str = column("the condition compared with")
    model: str = column("the model")
    condition: str = column("the condition")
    layer: int = column("after which layer, counted from 0")


@dataclass(frozen=True, kw_only=True)
class CompressionRow(ComparedRank, Bounded, Provenance):
    """Effective rank of one model or condition below that of another, on the same images.

    Interval and test are of the compression, by the logarithm of the ratio of the medians. `p`, `p_holm` and the
    interval are empty for a single image, and where a rank is not positive. `p_holm` adjusts within a dataset, for the
    pairs of models (of every layer) and for the conditions, each by themselves.
    """

    n: int = column("number of images that both have")
    base_median: float = column("median effective rank of the model and condition compared with")
    median: float = column("median effective rank")
    compression: float = column(
        "1 − median / base_median: 0.36 is a rank lower by 36 %; the interval is of it", unit="fraction"
    )
    p: float | None = column("p-value of the test that both medians are equal, two-sided")
    p_holm: float | None = column("p, adjusted within its family by Holm's method")
    detectable: float | None = column(
        "smallest compression that the test, not adjusted, detects with power 0.8; empty where the ratio does not vary",
        unit="fraction",
    )
    resamples: int = column("bootstrap resamples behind interval and test")


@dataclass(frozen=True, kw_only=True)
class DivergenceRatioRow(AtLayer, Provenance):
    """Divergence of attention under one replacement, relative to that under another.

    `ratio` and its interval are empty where the divergence under `base` is rounding.
    """

    base: str = column("the other replacement of the same tokens")
    n: int = column("number of images")
    divergence: float = column("mean divergence of attention from full under condition", unit="nats")
    base_divergence: float = column("mean divergence of attention from full under base", unit="nats")
    ratio: float | None = column("divergence / base_divergence; empty where the latter is rounding")
    low: float | None = column("lower end of the interval of ratio")
    high: float | None = column("upper end of the interval of ratio")
    interval: str | None = column("method of the interval of ratio")


@dataclass(frozen=True, kw_only=True)
class TrendRow(OfModel, Provenance):
    """Monotonicity of a mean over the layers."""

    condition: str = column("what is replaced, by what")
    measure: str = column("what was measured")
    n: int = column("number of images")
    layers: int = column("number of layers")
    first: float = column("mean after the first layer", unit="as the measure")
    last: float = column("mean after the last layer", unit="as the measure")
    direction: str = column("rises or falls, from the first layer to the last")
    with_trend: int = column("steps in that direction")
    against: int = column("steps against it")
    shown_with: int = column(
        "steps in that direction whose interval excludes 0, adjusted for their number (Bonferroni)"
    )
    shown_against: int = column("steps against it whose interval excludes 0, adjusted for their number (Bonferroni)")
    largest_against: float = column("the largest step against it; 0 where there is none", unit="as the measure")
    reading: str = column("monotone where every step is shown, not monotone where one against is, or undecided")


@dataclass(frozen=True, kw_only=True)
class CurveRow(OfTask, Provenance):
    """Value of a task read from one token after one layer."""

    condition: str = column("what is replaced, by what")
    features: str = column("which tokens were read")
    layer: int = column("after which layer, counted from 0")
    value: float = column("the metric", unit="fraction")
    value_low: float = column("lower end of the interval of value", unit="fraction")
    value_high: float = column("upper end of the interval of value", unit="fraction")
    value_interval: str = column("method of the interval of value")
