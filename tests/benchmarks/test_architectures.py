"""Every architecture of timm, two blocks deep: it can be used, or is refused with a reason.

``uv run pytest -n 0 -m benchmark -s tests/benchmarks/test_architectures.py`` prints which, and why.
"""

import warnings
from collections import Counter
from typing import Any

import pytest
import timm
import torch

from config.settings import Model
from extract.architectures import ArchitectureError, built, layout_of, norm_tokens
from extract.models import Network
from extract.observation import observe, observe_attention


def used(name: str) -> Network:
    """Return a network of two blocks and a grid of 4 × 4, or of the architecture's own size where it takes no other."""
    stated = timm.get_pretrained_cfg(name)
    own = stated.input_size[-1] if stated else 224
    model = Model("m", "timm", "f", "S", architecture=name, image_size=own, weights="random")
    with torch.device("meta"):
        module = built(model)
        patch: Any = module.patch_embed.patch_size
    stem = hasattr(module.patch_embed, "backbone")  # which small images may not pass
    size = own if stem else 4 * (patch if isinstance(patch, int) else max(patch))
    model = Model("m", "timm", "f", "S", architecture=name, image_size=size, weights="random")
    module = built(model)
    norm = norm_tokens(module)
    for block in module.blocks:
        block.attn.fused_attn = False
    module.eval()
    return Network(name, module, layout_of(model, module, size), size, (0.5,) * 3, (0.5,) * 3, "float32", norm)


def require_usable(network: Network) -> None:
    """Hold a network to what the extraction takes for granted."""
    seen: dict[int, torch.Tensor] = {}
    attention: dict[int, torch.Tensor] = {}
    x = torch.rand(2, 3, network.image_size, network.image_size, generator=torch.Generator().manual_seed(0))
    with (
        torch.inference_mode(),
        observe(network.module, range(network.depth), seen.__setitem__),
        observe_attention(network.module, range(network.depth), attention.__setitem__),
    ):
        tokens = network.run(x).flatten(1, -2)  # some put their patches back onto the grid
        normed = network.norm(seen[network.depth - 1])
    rows = len(network.layout.prefix) + len(network.layout.patches)
    assert all(output.shape == (2, rows, network.dimension) for output in seen.values())
    assert all(weights.shape[-2:] == (rows, rows) for weights in attention.values())
    assert all(torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-5) for weights in attention.values())
    # What comes out is the last block's output after the final norm, and nothing else.
    torch.testing.assert_close(normed, tokens, atol=1e-5, rtol=1e-5)


@pytest.mark.benchmark
def test_every_architecture_of_timm_works_or_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model

    def shallow(architecture: str, **options: Any) -> Any:
        try:
            return create(architecture, depth=2, **options)
        except (TypeError, ValueError):  # a depth for each of several stages
            return create(architecture, **options)

    monkeypatch.setattr(timm, "create_model", shallow)
    verdicts: Counter[str] = Counter()
    wrong = []
    for name in timm.list_models():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                network = used(name)
                require_usable(network)
            layout = network.layout
            verdict = f"works: {'CLS' if layout.cls is not None else 'no CLS'}, {len(layout.registers)} registers"
        except ArchitectureError as error:
            verdict = f"refused: {str(error).partition('(')[2].rpartition(')')[0]}"
        except Exception as error:
            verdict = f"WRONG: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            wrong.append(f"{name}: {verdict}")
        verdicts[verdict.partition(":")[0]] += 1
        print(f"{name}: {verdict}", flush=True)
    print(dict(verdicts))
    assert not wrong, "\n".join(wrong)
