"""The answers are known by construction, whatever the weights: tested on the committed ones."""

import numpy as np
import pytest
import torch
import yaml

from config.conditions import Condition
from config.layout import KNOWN_ANSWER_WEIGHTS
from extract.draws import Batch
from extract.interventions import intervene
from extract.known_answer.networks import FAMILIES, REGISTERS, SCALES, attention_bias
from extract.known_answer.scenes import CLASS_NAMES
from extract.known_answer.train import Recipe, recipe_of
from extract.models import Network

STEMS = [f"{family}_{scale.lower()}" for family in FAMILIES for scale in SCALES]
CLS, REGISTER_ROWS = 0, slice(1, 1 + REGISTERS)


def two_images(network: Network) -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))


def zeroed(network: Network, x: torch.Tensor) -> torch.Tensor:
    batch = Batch(("one", "two"), ("g", "g"), seed=0)
    with intervene(network.module, Condition("z", ("registers",), "zero"), network.layout, None, batch):
        tokens: torch.Tensor = network.module.forward_features(x)
    return tokens


@torch.inference_mode()
def test_bottleneck_cls_sees_the_image_through_registers_alone(networks: dict[str, Network]) -> None:
    bottleneck, open_ = networks["bottleneck"], networks["open"]
    x = two_images(bottleneck)
    full = bottleneck.module.forward_features(x)[:, CLS]
    assert (full[0] - full[1]).abs().max() > 0.1
    blind = zeroed(bottleneck, x)[:, CLS]
    assert (blind[0] - blind[1]).abs().max() < 1e-5
    seeing = zeroed(open_, x)[:, CLS]
    assert (seeing[0] - seeing[1]).abs().max() > 0.1


@torch.inference_mode()
def test_sink_registers_are_the_same_for_every_image(networks: dict[str, Network]) -> None:
    sink, open_ = networks["sink"], networks["open"]
    x = two_images(sink)
    registers = sink.module.forward_features(x)[:, REGISTER_ROWS]
    assert (registers[0] - registers[1]).abs().max() < 1e-5
    registers = open_.module.forward_features(x)[:, REGISTER_ROWS]
    assert (registers[0] - registers[1]).abs().max() > 0.1


def test_attention_bias_by_hand() -> None:
    inf = torch.inf
    bottleneck = attention_bias("bottleneck", 7)
    assert bottleneck is not None
    assert bottleneck[0, 0, 0].tolist() == [0, 0, 0, 0, 0, -inf, -inf]
    assert (bottleneck[0, 0, 1:] == 0).all()
    sink = attention_bias("sink", 7)
    assert sink is not None
    assert sink[0, 0, 0].tolist() == [0, 3, 3, 3, 3, 0, 0]
    assert sink[0, 0, 1].tolist() == [-inf, 0, 0, 0, 0, -inf, -inf]
    assert sink[0, 0, 6].tolist() == [0, 3, 3, 3, 3, 0, 0]
    assert attention_bias("open", 7) is None and attention_bias("plain", 7) is None


@pytest.mark.parametrize("stem", STEMS)
def test_committed_figures(stem: str) -> None:
    facts = yaml.safe_load((KNOWN_ANSWER_WEIGHTS / f"{stem}.yaml").read_text())
    reached = facts["reached"]
    chance = 1 / len(CLASS_NAMES)
    assert 5 * chance <= reached["probe_accuracy"] < 0.99
    assert reached["patch_miou"] >= reached["patch_miou_background"] + 0.15
    assert Recipe(**facts["recipe"]) == recipe_of(facts["family"], facts["scale"])
    log = np.genfromtxt(KNOWN_ANSWER_WEIGHTS / f"{stem}.log.csv", delimiter=",", names=True)
    assert log["step"][-1] == facts["recipe"]["steps"] - 1
    assert log["label_loss"][-1] < log["label_loss"][0]


def test_committed_weights_are_small() -> None:
    files = [KNOWN_ANSWER_WEIGHTS / f"{stem}.safetensors" for stem in STEMS]
    assert sum(file.stat().st_size for file in files) <= 15e6
