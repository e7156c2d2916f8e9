"""Where tensors are computed."""

import torch


def resolve_device(device: str) -> str:
    """Return cuda for auto where there is a GPU, else cpu."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device
