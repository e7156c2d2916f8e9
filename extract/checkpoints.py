"""Checkpoints: found, downloaded, checked, read, and loaded without leaving a gap."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import cast

import timm
import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from config.errors import InputError
from config.inputs import missing_weights
from config.settings import Model
from extract.architectures import built
from extract.positions import backend_of, resample_module, resamples

CHECKPOINT = "model.safetensors"  # what timm's repositories on the hub call it


class WeightsError(InputError):
    """Weights that cannot be had or do not fit, with what to do about it."""


def read_checkpoint(path: Path, model: Model) -> dict[str, Tensor]:
    """Read a checkpoint: safetensors, or what torch.save made of tensors alone.

    Raises:
        WeightsError: where it is missing, damaged, no checkpoint, or not the one that the config's hash names.
    """
    if (complaint := missing_weights(replace(model, weights=str(path)))) is not None:
        raise WeightsError(complaint)
    if model.sha256 is not None:
        _check_hash(path, model)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    # torch says in many ways that a file is none of its own.
    except (SafetensorError, UnpicklingError, EOFError, OSError, RuntimeError, ValueError, KeyError) as error:
        # Of a pickle, torch's first line tells how to run whatever code it holds.
        quoted = str(error).splitlines()[:1] if not isinstance(error, UnpicklingError) else ["not of tensors alone"]
        raise WeightsError(
            f"models.{model.name}.weights: {path} is damaged, cut short or no checkpoint "
            f"({type(error).__name__}: {quoted[0] if quoted else 'no reason given'}); fetch it again. A torch file may "
            "hold tensors and nothing else, since a pickle can run any code: prefer .safetensors"
        ) from error
    for key in ("model", "state_dict"):
        state = state.get(key, state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(
            f"models.{model.name}.weights: {path} is no checkpoint: it holds other things than named tensors"
        )
    return cast(dict[str, Tensor], state)


def fill(module: nn.Module, state: dict[str, Tensor], path: Path, model: Model) -> None:
    """Load weights into a network.

    Raises:
        WeightsError: where they leave a parameter unfilled or a weight unused.
    """
    own = module.state_dict()
    missing = sorted(set(own) - set(state))
    misshapen = sorted(
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in set(own) & set(state)
        if own[name].shape != state[name].shape
    )
    # Heads and masked-image tokens of the original training have no place in a feature extractor.
    unused = sorted(name for name in set(state) - set(own) if not name.startswith(("head.", "mask_token")))
    for what, names in (("lacks", missing), ("misshapes", misshapen), ("does not use", unused)):
        if names:
            raise WeightsError(
                f"models.{model.name}: {path} does not fit {model.architecture or model.family}: the network "
                f"{'gets no value for' if what == 'lacks' else what} {', '.join(names[:5])}"
                f"{f' and {len(names) - 5} more' if len(names) > 5 else ''}. Is it the checkpoint of another "
                "architecture or size?"
            )
    module.load_state_dict({name: state[name].to(own[name].dtype) for name in own})


def refuse_non_finite(model: Model, module: nn.Module) -> None:
    """Refuse a network whose parameters or buffers hold NaN or infinite values.

    Raises:
        WeightsError: naming the parameter.
    """
    for name, value in module.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise WeightsError(
                f"models.{model.name}: parameter {name} holds NaN or infinite values; the checkpoint is damaged"
            )


def downloaded(model: Model) -> nn.Module:
    """Build a timm architecture with the weights of the Hugging Face hub, or those of an earlier download.

    Raises:
        WeightsError: where they cannot be downloaded, or are not those that the config's hash names.
    """
    try:
        if model.sha256 is not None:
            hub = _hub_file(model)
            _check_hash(Path(hf_hub_download(hub.repository, hub.name, revision=hub.revision)), model)
        return _trained(model)
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise WeightsError(_where_to_get(model)) from error


def _trained(model: Model) -> nn.Module:
    """Build a timm architecture with the weights of the hub, at the model's image size."""
    with torch.device("meta"):
        empty = built(model)
    if not resamples(model, empty):
        return built(model, pretrained=True)
    # Loaded at the size that it was trained at: timm resamples position embeddings as it loads, in its own way.
    stated = timm.get_pretrained_cfg(cast(str, model.architecture))
    assert stated is not None and model.image_size is not None
    module = built(replace(model, image_size=stated.input_size[-1]), pretrained=True)
    resample_module(module, model.image_size, backend_of(model))
    return module


@dataclass(frozen=True)
class _HubFile:
    """Where timm reads the weights of an architecture from on the Hugging Face hub."""

    repository: str
    revision: str | None
    name: str
    licence: str | None


def _hub_file(model: Model) -> _HubFile:
    stated = timm.get_pretrained_cfg(cast(str, model.architecture))
    assert stated is not None and stated.hf_hub_id is not None
    repository, _, revision = str(stated.hf_hub_id).partition("@")
    return _HubFile(repository, revision or None, stated.hf_hub_filename or CHECKPOINT, stated.license)


def _where_to_get(model: Model) -> str:
    hub, folder = _hub_file(model), f"weights/{model.architecture}"
    return (
        f"models.{model.name}.weights: the weights of {model.architecture} could not be downloaded from "
        f"{hub.repository} on the Hugging Face hub. Is there a network, and may this account read the repository? "
        "Some ask for their licence to be accepted on their page first "
        f"(licence of this one: {hub.licence or 'not stated'}), and for `hf auth login`. "
        "Without a network: on a machine that has one, run "
        f"`hf download {hub.repository} {hub.name} --local-dir {folder}`, copy the folder here, and set "
        f"models.{model.name}.weights to {folder}/{hub.name}"
    )


def _check_hash(path: Path, model: Model) -> None:
    """Compare a checkpoint with the hash that the config gives, before anything of it is read."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        raise WeightsError(
            f"models.{model.name}.sha256: {path} has the hash {found}, expected {model.sha256}. The file is damaged or "
            "another one: fetch it again, or, where it is the one you mean, correct the key"
        )
