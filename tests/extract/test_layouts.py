"""Data sets with masks and with key points, all the way from their folders to outcomes."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from config.layout import Run
from config.resolve import resolve
from config.settings import Settings, save_resolved, settings
from extract import calibration, evaluate
from extract import run as extraction
from extract.datasets.packs import open_pack
from extract.datasets.prepare import prepare
from extract.features import tokens_by_batch
from extract.models import load_network
from extract.tasks import dense
from extract.tasks.segmentation import Segmentation
from tests.extract.sources import spair_folder, voc_folder


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Run]:
    """A run of one known-answer model on twelve images with masks and on two categories of annotated pairs."""
    folder = tmp_path_factory.mktemp("layouts")
    config = resolve(
        {
            "run": "layouts",
            "models": {"m": {"source": "known_answer", "family": "open", "scale": "S"}},
            "datasets": {
                "voc": {
                    "source": "voc",
                    "path": str(voc_folder(folder / "voc", train=8, val=4)),
                    "classes": ["background", "left", "right"],
                    "image_size": 64,
                    "calibration": 2,
                    "pairs": 0,
                    "tasks": ["segmentation"],
                },
                "spair": {
                    "source": "spair",
                    "path": str(spair_folder(folder / "spair", {"cat": 70, "dog": 5}, 7)),
                    "image_size": 64,
                    "tasks": ["correspondence"],
                    "shards": 2,
                },
            },
            "conditions": {"full": {}, "shuffle_registers": {"tokens": ["registers"], "by": "shuffle"}},
            "measures": {"images": 3, "attention_images": 2},
        }
    )
    chosen, run = settings(config), Run(folder / "run")
    save_resolved(config, run.settings)
    for dataset in chosen.datasets.values():
        prepare(dataset, chosen.seed, run.pack(dataset.name))
    calibration.run(chosen, run, "m")
    for dataset in chosen.datasets.values():
        for shard in range(dataset.shards):
            extraction.run(chosen, run, "m", dataset, shard)
    evaluate.run(chosen, run, "m", ("correspondence",))
    dense.run(Segmentation, chosen, run, "m")
    return chosen, run


def test_key_points_become_points_of_pairs_and_images(measured: tuple[Settings, Run]) -> None:
    chosen, run = measured
    assert chosen.outcomes_of("correspondence") == ("correspondence", "pck_per_image")
    points = pd.read_parquet(run.outcomes("correspondence", "m"))
    last = points[points["layer"] == 5]
    assert set(last["condition"]) == {"full", "shuffle_registers"} and set(points["layer"]) == set(range(6))
    # Seven pairs a category, two points each; pairs of a category are exchanged together.
    assert (last["denominator"] == 2).all() and len(last) == 2 * 14
    assert set(last["cluster"]) == {"cat", "dog"}
    images = pd.read_parquet(run.outcomes("pck_per_image", "m"))
    key = ["condition", "layer", "unit"]
    both = points.merge(images, on=key, suffixes=("_points", "_image"))
    assert len(both) == len(points) == len(images)
    assert (both["numerator_points"] / both["denominator_points"] == both["numerator_image"]).all()


def test_void_pixels_are_in_no_union(measured: tuple[Settings, Run]) -> None:
    _, run = measured
    outcomes = pd.read_parquet(run.outcomes("segmentation", "m"))
    assert set(outcomes["readout"]) == {"matched", "frozen"}
    pack = open_pack(run.pack("voc"))
    assert pack.masks is not None
    counted = {
        unit: int((pack.masks[row] != 255).sum())
        for row, unit in zip(pack.rows("test"), pack.index["unit"].iloc[pack.rows("test")], strict=True)
    }
    assert all(pixels < 64 * 64 for pixels in counted.values())
    by_image = outcomes.groupby(["condition", "readout", "unit"])[["numerator", "denominator"]].sum()
    # Each counted pixel is in one intersection, or else in two unions.
    for (_, _, unit), row in by_image.iterrows():
        assert row["numerator"] + (row["denominator"] - row["numerator"]) / 2 == counted[unit]


def test_measures_are_of_the_first_data_set_alone(measured: tuple[Settings, Run]) -> None:
    _, run = measured
    assert pd.read_parquet(run.measures("m", "voc", "1-of-1"))["unit"].nunique() == 3
    assert pd.read_parquet(run.measures("m", "spair", "1-of-2")).empty


def test_segmentation_is_that_of_scikit_learn_on_the_same_patches(measured: tuple[Settings, Run]) -> None:
    chosen, run = measured
    pack, network = open_pack(run.pack("voc")), load_network(chosen.models["m"], chosen.seed, chosen.extraction)
    assert pack.masks is not None
    moments = calibration.load_calibration(run.calibration("m"), network.device)
    fits = pd.read_csv(run.probes("segmentation", "m")).set_index("condition")["strength"]
    outcomes = pd.read_parquet(run.outcomes("segmentation", "m"))

    def patches(split: str, condition: str) -> tuple[np.ndarray, np.ndarray]:
        passed = tokens_by_batch(
            network, pack, pack.rows(split), chosen.conditions[condition], moments, (5,), 64, chosen.seed
        )
        found = {
            int(row): each for rows, tokens in passed for row, each in zip(rows, tokens.patches[:, 0], strict=True)
        }
        return np.stack([found[row].double().numpy() for row in pack.rows(split)]), pack.masks[pack.rows(split)]

    def reader(condition: str) -> Pipeline:
        features, masks = patches("train", condition)
        covered = np.stack([(masks == k).reshape(-1, 8, 8, 8, 8).mean(axis=(2, 4)) for k in (0, 1, 2, 255)], axis=-1)
        labels = covered.reshape(-1, 4).argmax(axis=1)
        assert set(labels) == {1, 2}  # no patch is mostly void; for two classes scikit-learn's C is half of ours
        logistic = LogisticRegression(C=2 * fits[condition], max_iter=20_000, tol=1e-10)
        return make_pipeline(StandardScaler(), logistic).fit(features.reshape(-1, 64), labels)

    probes = {condition: reader(condition) for condition in chosen.conditions}
    for condition in chosen.conditions:
        features, masks = patches("test", condition)
        for readout, probe in (("matched", probes[condition]), ("frozen", probes["full"])):
            logits = torch.full((len(features), 8, 8, 3), -1e6, dtype=torch.float64)
            log_odds = probe.predict_log_proba(features.reshape(-1, 64))  # logits up to a constant a patch
            logits[..., 1:] = torch.from_numpy(log_odds).view(-1, 8, 8, 2)
            large = torch.nn.functional.interpolate(logits.permute(0, 3, 1, 2), (64, 64), mode="bilinear")
            predicted = large.argmax(dim=1).numpy()
            rows = outcomes[(outcomes["condition"] == condition) & (outcomes["readout"] == readout)]
            told = rows.groupby("category")[["numerator", "denominator"]].sum()
            told = told.reindex(pack.mask_names, fill_value=0)  # rows of empty unions are left out
            for k, name in enumerate(pack.mask_names):
                ours, theirs, counted = predicted == k, masks == k, masks != 255
                # A pixel in ten thousand may lie where two classes are alike.
                assert abs(told.loc[name, "numerator"] - (ours & theirs).sum()) <= 1e-4 * counted.sum()
                assert abs(told.loc[name, "denominator"] - ((ours | theirs) & counted).sum()) <= 1e-4 * counted.sum()
