"""Scenes drawn by this project, as a data set."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from config.settings import Dataset
from extract.datasets.listing import Listing
from extract.datasets.warps import Floats
from extract.known_answer.scenes import CLASS_NAMES, draw_scenes, render


def drawn_scenes(dataset: Dataset, seed: int) -> Listing:
    """List the scenes of every split; their twins are drawn through the warp, without interpolation."""
    counts = {"calibration": dataset.calibration, "train": dataset.train, "test": dataset.test}
    drawn = {split: draw_scenes(n, "data set scenes", dataset.name, split, seed) for split, n in counts.items() if n}
    # The split that a row is in, the one that its scene was drawn for, and which one of that.
    places = [(split, split, i) for split, n in counts.items() for i in range(n)]
    if dataset.calibration_trains:
        first = dataset.calibration
        places[first:first] = [("train", "calibration", i) for i in range(dataset.calibration)]
    labels = [drawn[origin].label[i] for _, origin, i in places]
    index = pd.DataFrame(
        {
            "unit": [f"{dataset.name}/{origin}/{i:06d}" for _, origin, i in places],
            "split": [split for split, _, _ in places],
            "label": labels,
            "class_name": [CLASS_NAMES[label] for label in labels],
        }
    )

    def draw(row: int, warp: Floats | None = None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        _, origin, i = places[row]
        images, masks = render(drawn[origin][i : i + 1], dataset.image_size, None if warp is None else warp[None])
        return images[0], masks[0]

    return Listing(
        index,
        draw=draw,
        class_names=CLASS_NAMES,
        mask_names=("background", *CLASS_NAMES),
        twin=lambda row, warp: draw(row, warp)[0],
    )
