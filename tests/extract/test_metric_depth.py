"""Depth: the regression against scikit-learn's, scores worked out by hand, and a task whose answer is known."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.linear_model import Ridge as Reference

from config.conditions import Condition
from config.layout import Pack
from config.resolve import resolve
from config.settings import Settings, settings
from config.vocabulary.tasks import TASKS
from extract.datasets.packs import OpenPack, open_pack
from extract.datasets.prepare import prepare
from extract.models import Network
from extract.replacements import Calibration
from extract.tasks.dense import under_every_condition
from extract.tasks.metric_depth import MetricDepth, Moments, ridge, squared_errors
from tests.extract.public_layouts import nyu_folder

RNG = np.random.default_rng(7)


def rows(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    features = RNG.normal(3, [1, 10, 0.1, 1], (n, 4))
    features[:, 3] = features[:, 0] + 0.01 * RNG.normal(size=n)  # nearly the same twice
    return torch.from_numpy(features), torch.from_numpy(features @ [1, -0.2, 3, 0] + RNG.normal(size=n) + 50)


@pytest.mark.parametrize("strength", [1e-3, 0.1, 1e4])
def test_the_regression_is_that_of_scikit_learn_on_standardised_rows(strength: float) -> None:
    features, target = rows(300)
    found = Moments.of(features, target).fitted(strength)
    x, y = features.numpy(), target.numpy()
    standard, centred = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    reference = Reference(alpha=1 / strength).fit(standard, centred)
    expected = reference.predict(standard) * y.std() + y.mean()
    predicted = (features @ found[:-1] + found[-1]).numpy()
    np.testing.assert_allclose(predicted, expected, atol=1e-8)


def test_sums_over_parts_are_those_over_all_rows() -> None:
    features, target = rows(60)
    parts = [Moments.of(features[part], target[part]) for part in (slice(0, 7), slice(7, 60))]
    whole = Moments.of(features, target)
    torch.testing.assert_close((parts[0] + parts[1]).products, whole.products)
    weights = whole.fitted(0.1)
    error = (features @ weights[:-1] + weights[-1] - target).square().mean()
    assert whole.error(weights) == pytest.approx(float(error)) and (parts[0] + parts[1]).rows == 60


def test_the_penalty_is_that_of_the_least_error_on_held_out_rows() -> None:
    features, target = rows(400)
    noise = torch.from_numpy(RNG.normal(size=(400, 150)))
    wide = torch.cat([features, noise], 1)
    kept, others = Moments.of(wide[:180], target[:180]), Moments.of(wide[180:], target[180:])
    chosen = ridge(kept, others, (1e-5, 0.01, 1e6))
    losses = {c: others.error(kept.fitted(c)) for c in (1e-5, 0.01, 1e6)}
    assert chosen.strength == min(losses, key=losses.__getitem__) == 0.01
    assert chosen.held_out_loss == losses[0.01] and chosen.rows == 400
    assert math.isnan(ridge(kept, others, (0.1,)).held_out_loss)


def test_constant_features_and_a_constant_depth_need_no_division_by_nothing() -> None:
    features = torch.cat([rows(30)[0], torch.full((30, 1), 7.0)], 1)
    fitted = Moments.of(features, torch.full((30,), 2.5)).fitted(0.1)
    assert torch.isfinite(fitted).all() and torch.allclose(
        features @ fitted[:-1] + fitted[-1], torch.tensor(2.5).double()
    )


def test_scores_by_hand() -> None:
    # One patch at 2 m. Pixels at 1 m, 4 m, unknown and 2 m: errors 1, 4 and 0 over three of them.
    actual = torch.tensor([[[1.0, 4.0], [0.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]])
    errors, pixels = squared_errors(torch.full((2, 1), 2.0), actual, (1, 1))
    assert errors.tolist() == [pytest.approx(5 / 3), 0] and pixels.tolist() == [3, 0]
    # Predictions are cut to what the sensor can see, as on NYU: −3 m to 1 mm, 50 m to 10 m.
    assert squared_errors(torch.tensor([[-3.0]]), torch.full((1, 1, 1), 1.0), (1, 1))[0].item() == pytest.approx(
        0.999**2
    )
    assert squared_errors(torch.tensor([[50.0]]), torch.full((1, 1, 1), 9.0), (1, 1))[0].item() == pytest.approx(1)
    record = TASKS["metric_depth"]
    assert not (record.higher_is_better or record.bounded or record.percent) and record.value_unit == "m"


def chosen(path: Path) -> Settings:
    config = {
        "run": "test",
        "models": {"open": {"source": "known_answer", "family": "open", "scale": "S"}},
        "datasets": {
            "nyu": {
                "source": "nyu",
                "path": str(path),
                "image_size": 64,
                "calibration": 2,
                "pairs": 0,
                "tasks": ["metric_depth"],
            }
        },
        "conditions": {"full": {}, "zero_registers": {"tokens": ["registers"], "by": "zero"}},
        "measures": {"images": 0, "attention_images": 0},
        "analysis": {"margins": {"metric_depth": {"margin": 0.01, "reason": "a centimetre"}}},
        "probe": {"strengths": [0.1, 1e6]},
    }
    return settings(resolve(config))


class Plane(MetricDepth):
    """Depth of a network whose tokens are the places of its patches, on scenes that are planes."""

    def patches(self, rows, condition):  # type: ignore[no-untyped-def]
        down, across = self.network.layout.grid
        y, x = np.mgrid[:down, :across].reshape(2, -1)
        for part in np.array_split(rows, 2):
            yield part, torch.from_numpy(np.stack([x, y], -1)).float().expand(len(part), -1, -1)

    def truth(self, rows: NDArray[np.int64]) -> torch.Tensor:
        down, across = self.network.layout.grid
        y, x = np.mgrid[:down, :across]
        plane = torch.from_numpy(1 + 0.1 * x + 0.2 * y).float().expand(len(rows), 1, -1, -1)
        maps = F.interpolate(plane, size=(8 * down, 8 * across), mode="bilinear", align_corners=False)[:, 0].clone()
        maps[:, 0] = 0  # unknown, where it neither teaches nor counts
        return maps


def test_a_plane_is_read_exactly_from_the_places_of_patches(
    networks: dict[str, Network], pack: OpenPack, calibration: Calibration, tmp_path: Path
) -> None:
    asked = chosen(tmp_path)
    task = Plane(networks["open"], calibration, pack, asked.datasets["nyu"], asked)
    probe = task.fit(Condition("full"))
    assert probe.rows == len(pack.rows("train")) * 64 and probe.strength == 1e6
    score = task.score(Condition("full"), {"matched": probe})[0]
    assert len(score.units) == len(pack.rows("test")) and (score.denominator == 1).all()
    # The border row is read from less than a whole patch; everywhere else the plane is exact.
    assert score.numerator.max() < 0.02


def test_nyu_goes_from_its_files_to_outcomes(
    networks: dict[str, Network], calibration: Calibration, tmp_path: Path
) -> None:
    pytest.importorskip("h5py")
    asked = chosen(nyu_folder(tmp_path / "nyu", frames=20, train=14))
    listed = asked.datasets["nyu"]
    prepare(listed, 0, Pack(tmp_path / "pack"))
    task = MetricDepth(networks["open"], calibration, open_pack(Pack(tmp_path / "pack")), listed, asked)
    counts, fits = under_every_condition(task, tuple(asked.conditions.values()))
    assert {(one.condition, one.readout) for one in counts} == {
        (condition, readout) for condition in asked.conditions for readout in ("matched", "frozen")
    }
    assert [fit.training_rows for fit in fits] == [12 * 64] * 2 and all(one.features == "patches" for one in counts)
    pack = task.pack
    assert pack.depths is not None
    metres = np.asarray(pack.depths[pack.rows("test")]) / 1000
    constant = np.sqrt(
        np.square(metres - np.asarray(pack.depths[pack.rows("train")]).mean() / 1000).mean((1, 2))
    ).mean()
    full = next(one for one in counts if (one.condition, one.readout) == ("full", "matched"))
    # The images show the left and the right half in different colours: more than nothing is read of the slope.
    assert (full.denominator == 1).all() and 0 < full.numerator.mean() < constant
