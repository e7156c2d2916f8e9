"""Training is a function of family, scale and recipe: two short trainings agree to the last bit."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from extract.known_answer import train as training
from extract.known_answer.networks import KnownAnswerViT
from extract.known_answer.scenes import CLASS_NAMES
from extract.known_answer.train import Examples, Recipe, draw_examples, patch_labels, recipe_of, train

SHORT = Recipe(scenes=64, steps=3, batch=16, warm_up=1, autocast="bfloat16")


def test_two_trainings_agree_and_other_seeds_do_not() -> None:
    first, log = train("sink", "S", SHORT)
    again, _ = train("sink", "S", SHORT)
    other, _ = train("sink", "S", Recipe(**{**vars(SHORT), "seed": 1}))
    weights = [network.state_dict() for network in (first, again, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert any(not torch.equal(weights[0][name], weights[2][name]) for name in weights[0])
    assert [row["step"] for row in log] == [0, 2]
    assert not first.training
    # The flag would hold for everything that the process computes afterwards, also where it would be refused.
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_command_line_writes_weights_log_and_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--scenes", "64", "--steps", "2", "--batch", "16", "--warm-up", "1"]
    command = ["train", "--family", "plain", "--scale", "S", "--output", str(tmp_path), *options]
    monkeypatch.setattr("sys.argv", command)
    reached = partial(training.reached, train_n=100, test_n=40)
    monkeypatch.setattr(training, "reached", reached)
    training.main()
    assert {path.name for path in tmp_path.iterdir()} == {"plain_s.safetensors", "plain_s.yaml", "plain_s.log.csv"}
    facts = yaml.safe_load((tmp_path / "plain_s.yaml").read_text())
    assert facts["recipe"]["steps"] == 2 and facts["recipe"]["learning_rate"] == recipe_of("plain", "S").learning_rate
    weights = load_file(tmp_path / "plain_s.safetensors")
    network = KnownAnswerViT("plain", "S").eval()
    assert set(weights) == set(network.state_dict())
    assert {value.dtype for value in weights.values()} == {torch.float16}
    # The figures are of the weights as stored, rounded to half precision.
    network.load_state_dict(weights)
    assert facts["reached"] == reached(network, Recipe(**facts["recipe"]))
    log = (tmp_path / "plain_s.log.csv").read_text().splitlines()
    assert log[0] == "step,label_loss,patch_loss,batch_accuracy" and [row.split(",")[0] for row in log[1:]] == [
        "0",
        "1",
    ]


def test_patch_labels_by_hand() -> None:
    masks = np.zeros((1, 16, 16), dtype=np.uint8)
    masks[0, :8, 8:] = 4  # a whole patch
    masks[0, 8:, :4] = 7  # half a patch: a tie goes to the lower class
    masks[0, 8:13, 8:] = 9  # five of eight rows
    assert patch_labels(masks).tolist() == [[[0, 4], [0, 9]]]


@pytest.mark.parametrize("turn", range(8))
def test_images_and_patch_labels_turn_together(turn: int) -> None:
    examples = draw_examples(10, "turning", 0)
    # Paint each image with its patch labels, so that the picture says what the labels must be.
    painted = np.repeat(np.repeat(examples.patch_labels, 8, axis=1), 8, axis=2)
    images = np.repeat(painted[..., None], 3, axis=-1).astype(np.uint8)
    x, label, patches = Examples(images, examples.patch_labels, examples.labels).batch(np.arange(10), turn)
    seen = ((x * 0.25 + 0.5) * 255).round().long()[:, 0, ::8, ::8].flatten(1)
    assert torch.equal(seen, patches)
    assert label.tolist() == examples.labels.tolist()
    assert patches.max() < len(CLASS_NAMES) + 1
