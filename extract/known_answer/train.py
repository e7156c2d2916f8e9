"""Train one known-answer network on procedural scenes, reproducibly from a seed.

Supervised on the object's class (read from CLS) and on the class under every patch (read from the patch token),
each through a linear head that is thrown away: the network is an instrument, not an imitation of DINO.
"""

import argparse
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from config.errors import report_errors
from config.files import write_csv, written_whole
from extract.known_answer.networks import (
    FAMILIES,
    IMAGE_SIZE,
    MEAN,
    PATCH_SIZE,
    SCALES,
    STD,
    Family,
    KnownAnswerViT,
    Scale,
)
from extract.known_answer.scenes import CLASS_NAMES, draw_scenes, render
from extract.tasks.probes import fit_path

RENDER_BLOCK = 512


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights, besides the family and the scale."""

    seed: int = 0
    scenes: int = 32_768
    steps: int = 1_500
    batch: int = 128
    learning_rate: float = 2e-3
    warm_up: int = 100
    weight_decay: float = 0.05
    autocast: str = "bfloat16"


def recipe_of(family: Family, scale: Scale) -> Recipe:
    """Return the recipe of the committed weights.

    One for all, but for the narrow bottleneck: what its CLS sees has to be learned by the registers first, and at
    1,500 steps its accuracy was only just five times chance.
    """
    return Recipe(steps=3_000) if (family, scale) == ("bottleneck", "S") else Recipe()


@dataclass(frozen=True)
class Examples:
    """Scenes as the networks are trained on: images, class labels and the class under every patch."""

    images: NDArray[np.uint8]  # n × size × size × 3
    patch_labels: NDArray[np.int64]  # n × patches down × patches across
    labels: NDArray[np.int64]  # n

    def batch(self, rows: NDArray[np.int64], turn: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Return network input, labels and patch labels of ``rows``, turned by one of the 8 symmetries."""
        images, patches = self.images[rows], self.patch_labels[rows]
        if turn >= 4:
            images, patches = images[:, :, ::-1], patches[:, :, ::-1]
        return (
            as_input(np.rot90(images, turn % 4, axes=(1, 2)).copy()),
            torch.from_numpy(self.labels[rows]),
            torch.from_numpy(np.rot90(patches, turn % 4, axes=(1, 2)).copy()).flatten(1),
        )


def draw_examples(n: int, *key: str | int) -> Examples:
    """Draw and render ``n`` scenes of the stream ``key``."""
    blocks = []
    for first in tqdm(range(0, n, RENDER_BLOCK), desc="scenes", mininterval=5):
        scenes = draw_scenes(min(RENDER_BLOCK, n - first), *key, first=first)
        images, masks = render(scenes, IMAGE_SIZE)
        blocks.append((images, patch_labels(masks), scenes.label))
    return Examples(*(np.concatenate(each) for each in zip(*blocks, strict=True)))


def as_input(images: NDArray[np.uint8]) -> Tensor:
    """Turn uint8 images B×H×W×3 into normalised network input B×3×H×W."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))
    return (x - mean) / std


def patch_labels(masks: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the most frequent class under every patch, n × patches down × patches across."""
    side = masks.shape[1] // PATCH_SIZE
    patches = masks.reshape(-1, side, PATCH_SIZE, side, PATCH_SIZE)
    counts = [(patches == k).sum(axis=(2, 4)) for k in range(len(CLASS_NAMES) + 1)]
    most: NDArray[np.int64] = np.argmax(counts, axis=0)
    return most


@contextmanager
def _deterministic() -> Iterator[None]:
    """Let operations refuse to compute what differs from one run to the next; the flag is one of the whole process."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@_deterministic()
def train(family: Family, scale: Scale, recipe: Recipe) -> tuple[KnownAnswerViT, list[dict[str, float]]]:
    """Train one network and return it with a log of the losses."""
    torch.manual_seed(recipe.seed)
    network = KnownAnswerViT(family, scale)
    heads = nn.ModuleDict(
        {
            "label": nn.Linear(network.embed_dim, len(CLASS_NAMES)),
            "patch": nn.Linear(network.embed_dim, len(CLASS_NAMES) + 1),
        }
    )
    parameters = [*network.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _warm_cosine(step, recipe))
    examples = draw_examples(recipe.scenes, "training scenes", recipe.seed)
    order = np.random.Generator(np.random.Philox(key=recipe.seed))

    log = []
    network.train()
    for step in tqdm(range(recipe.steps), desc=f"{family} {scale}", mininterval=5):
        rows = order.integers(0, recipe.scenes, recipe.batch)
        x, label, patch_label = examples.batch(rows, turn=int(order.integers(0, 8)))
        with torch.autocast("cpu", getattr(torch, recipe.autocast)):
            tokens = network.forward_features(x)
            label_logits = heads["label"](tokens[:, 0])
            patch_logits = heads["patch"](tokens[:, network.num_prefix_tokens :])
        label_loss = F.cross_entropy(label_logits.float(), label)
        patch_loss = F.cross_entropy(patch_logits.float().flatten(0, 1), patch_label.flatten())
        optimiser.zero_grad()
        (label_loss + patch_loss).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0 or step == recipe.steps - 1:
            accuracy = (label_logits.argmax(-1) == label).float().mean()
            log.append(
                {
                    "step": step,
                    "label_loss": round(label_loss.item(), 4),
                    "patch_loss": round(patch_loss.item(), 4),
                    "batch_accuracy": round(accuracy.item(), 4),
                }
            )
            tqdm.write(str(log[-1]))
    return network.eval(), log


def _warm_cosine(step: int, recipe: Recipe) -> float:
    """Return the factor on the learning rate: a linear rise, then half a cosine down to 0."""
    if step < recipe.warm_up:
        return (step + 1) / recipe.warm_up
    done = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
    return 0.5 * (1 + math.cos(math.pi * done))


@torch.inference_mode()
def reached(network: KnownAnswerViT, recipe: Recipe, train_n: int = 1_000, test_n: int = 1_000) -> dict[str, float]:
    """Measure a network on scenes it has not seen: linear-probe accuracy of CLS and patch mIoU, in fractions."""
    tokens, labels, patches = {}, {}, {}
    for split, n in (("probe training", train_n), ("probe test", test_n)):
        examples = draw_examples(n, f"{split} scenes", recipe.seed)
        x, labels[split], patches[split] = examples.batch(np.arange(n))
        tokens[split] = torch.cat([network.forward_features(part) for part in torch.split(x, 256)])
    prefix = network.num_prefix_tokens

    def predict(features: dict[str, Tensor], target: dict[str, Tensor]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        (probe,) = fit_path(features["probe training"].numpy(), target["probe training"].numpy(), [0.1], 1_000, "cpu")
        return probe.predict(features["probe test"].numpy()), target["probe test"].numpy()

    predicted, actual = predict({k: t[:, 0] for k, t in tokens.items()}, labels)
    accuracy = float((predicted == actual).mean())
    predicted, actual = predict(
        {k: t[:, prefix:].flatten(0, 1) for k, t in tokens.items()},
        {k: p.flatten() for k, p in patches.items()},
    )
    return {
        "probe_accuracy": round(accuracy, 4),
        "patch_miou": round(_miou(predicted, actual), 4),
        "patch_miou_background": round(_miou(np.zeros_like(actual), actual), 4),
    }


def _miou(predicted: NDArray[np.int64], actual: NDArray[np.int64]) -> float:
    ratios = [
        np.sum((predicted == k) & (actual == k)) / np.sum((predicted == k) | (actual == k))
        for k in range(len(CLASS_NAMES) + 1)
    ]
    return float(np.mean(ratios))


def stored(network: KnownAnswerViT) -> dict[str, Tensor]:
    """Return the weights as they are stored: half precision, which halves the files and is exact to load."""
    return {name: value.half().contiguous() for name, value in network.state_dict().items()}


def main() -> None:
    """Command line: train one network and write its weights, log and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", choices=FAMILIES, required=True)
    parser.add_argument("--scale", choices=SCALES, required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder for the three files")
    for name, value in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), help="default: as committed")
    parser.add_argument("--threads", type=int, default=1)
    arguments = vars(parser.parse_args())
    torch.set_num_threads(arguments.pop("threads"))
    family, scale, output = (arguments.pop(key) for key in ("family", "scale", "output"))
    given = {key: value for key, value in arguments.items() if value is not None}
    recipe = replace(recipe_of(family, scale), **given)

    network, log = train(family, scale, recipe)
    # What is measured below is the network that is stored, rounding included.
    network.load_state_dict(stored(network))
    stem = f"{family}_{scale.lower()}"
    write_csv(output / f"{stem}.log.csv", list(log[0]), log)
    with written_whole(output / f"{stem}.yaml") as path:
        facts = {"family": family, "scale": scale, "recipe": asdict(recipe)}
        path.write_text(yaml.safe_dump({**facts, "reached": reached(network, recipe)}, sort_keys=False))
    with written_whole(output / f"{stem}.safetensors") as path:
        save_file(stored(network), path)


if __name__ == "__main__":
    report_errors(main)
