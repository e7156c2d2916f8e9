"""A small analysis, as its users have them: two models, 0/1 outcomes of 300 units under 14 conditions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

MODELS, UNITS, CONDITIONS = ("net_a", "net_b"), 300, 14


def write_small_study(folder: Path) -> Path:
    """Write one CSV per model, as docs/outcomes.md describes them, and return their folder."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(1)
    for model in MODELS:
        full = generator.random(UNITS) < 0.8
        parts = []
        for place in range(CONDITIONS):
            flipped = generator.random(UNITS) < 0.02 * place
            columns = {
                "dataset": "mine",
                "task": "classification",
                "model": model,
                "family": model,
                "scale": "S",
                "condition": f"condition_{place:02d}" if place else "full",
                "readout": "direct",
                "unit": [f"image_{unit:03d}" for unit in range(UNITS)],
                "category": "",
                "numerator": (full != flipped).astype(int),
                "denominator": 1,
            }
            parts.append(pd.DataFrame(columns))
        pd.concat(parts).to_csv(folder / f"{model}.csv", index=False)
    return folder
