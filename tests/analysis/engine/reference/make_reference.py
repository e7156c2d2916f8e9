"""Make the reference values of this folder with scipy and statsmodels.

    python tests/analysis/engine/reference/make_reference.py

Nothing of this project is imported. `data.csv` is drawn from the seed; `values.csv` holds what the libraries say of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import ttost_paired

FOLDER = Path(__file__).parent
UNITS = 60


def mean_difference(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    return np.mean(x - y, axis=axis)


def main() -> None:
    generator = np.random.default_rng(20260414)
    difficulty = generator.normal(size=UNITS)
    data = pd.DataFrame(
        {
            "base": difficulty + 0.5 * generator.normal(size=UNITS),
            "changed": difficulty + 0.5 * generator.normal(size=UNITS) - 0.15,
            "base_right": (generator.random(UNITS) < 0.7).astype(int),
            "changed_right": (generator.random(UNITS) < 0.5).astype(int),
            "skewed": generator.lognormal(size=UNITS),
        }
    )
    data.to_csv(FOLDER / "data.csv", index=False, float_format="%.17g", lineterminator="\n")
    # What is read back, so that both sides see the same digits.
    data = pd.read_csv(FOLDER / "data.csv")
    pair = (data["changed"].to_numpy(), data["base"].to_numpy())
    few = tuple(one[:12] for one in pair)
    values: dict[str, float] = {}

    def permuted(arrays: tuple[np.ndarray, ...], resamples: float) -> float:
        test = stats.permutation_test(
            arrays, mean_difference, permutation_type="samples", vectorized=True, n_resamples=resamples, rng=1
        )
        return float(test.pvalue)

    values["permutation_sampled"] = permuted(pair, 1_000_000)
    values["permutation_exact"] = permuted(few, np.inf)
    for name, statistic in (("mean", np.mean), ("median", np.median)):
        interval = stats.bootstrap(
            (data["skewed"].to_numpy(),), statistic, n_resamples=200_000, batch=5_000, method="BCa", rng=2
        ).confidence_interval
        values[f"bca_{name}_low"], values[f"bca_{name}_high"] = float(interval.low), float(interval.high)
    table = pd.crosstab(data["base_right"], data["changed_right"]).to_numpy()
    values["mcnemar_exact"] = float(mcnemar(table, exact=True).pvalue)
    for margin in (0.2, 0.3, 0.5):
        values[f"tost_{margin}"] = float(ttost_paired(*pair, -margin, margin)[0])
    low, high = proportion_confint(int(data["base_right"].sum()), UNITS, method="wilson")
    values["wilson_low"], values["wilson_high"] = float(low), float(high)
    raw = [0.04, 0.001, 0.2, 0.013, 0.013]
    for place, p in enumerate(multipletests(raw, method="holm")[1]):
        values[f"holm_{place}"] = float(p)
    pd.Series(values, name="value").rename_axis("name").to_csv(
        FOLDER / "values.csv", float_format="%.12g", lineterminator="\n"
    )


if __name__ == "__main__":
    main()
