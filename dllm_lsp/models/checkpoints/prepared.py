"""A base in int8, kept once it was quantized: the next start finds its matrices ready, and never makes them float32.

One file in the user's cache folder for each set of weights, by their fingerprint. It holds matrices under the names of
`Transformer`'s parameters, each with its scales as in `storage.py`, and the few vectors in float32. A file that is
damaged, or from another version, counts as none.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import platformdirs
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dllm_lsp.models.checkpoints.storage import SCALES
from dllm_lsp.models.network.quantization import Rows, fill_packed, packed_rows, packed_top
from dllm_lsp.models.network.transformer import Transformer

VERSION = 1
"""Goes up when the same weights are kept otherwise."""


def place(fingerprint: str) -> Path:
    """Return where the weights of a fingerprint are kept for processors such as this one."""
    folder = platformdirs.user_cache_path("dllm-lsp", appauthor=False) / "int8"
    return folder / f"{_name(fingerprint)}{VERSION}.safetensors"


def keep(fingerprint: str, transformer: Transformer) -> None:
    """Write a base that was quantized for a CPU, as a whole or, where the disk does not let us, not at all."""
    here = place(fingerprint)
    written = here.with_suffix(f".{os.getpid()}")
    with suppress(OSError, SafetensorError):
        here.parent.mkdir(parents=True, exist_ok=True)
        try:
            save_file(_content(transformer), written)
            written.replace(here)
        finally:
            written.unlink(missing_ok=True)
        for other in here.parent.glob(f"{_name(fingerprint)}*.safetensors"):
            if other != here:  # of an older version
                other.unlink()


def fill(transformer: Transformer, fingerprint: str) -> bool:
    """Fill a base that was made `unfilled` with what is kept; where nothing is, return False and change nothing."""
    expected = _expected(transformer)
    try:
        with safe_open(place(fingerprint), framework="pt") as file:
            found = {name: file.get_tensor(name) for name in expected}
    except (OSError, SafetensorError):
        return False
    if any(_form(found[name]) != form for name, form in expected.items()):
        return False
    if not all(value.isfinite().all() for value in found.values() if value.is_floating_point()):
        return False
    matrices = {
        name.removesuffix(SCALES): Rows(found.pop(name.removesuffix(SCALES)), found.pop(name))
        for name in expected
        if name.endswith(SCALES)
    }
    fill_packed(transformer, matrices, found)
    return True


def _name(fingerprint: str) -> str:
    return f"{fingerprint}-{packed_top():.0f}-"


def _content(transformer: Transformer) -> dict[str, Tensor]:
    content = {}
    for name, (rows, scale) in packed_rows(transformer).items():
        content[name], content[name + SCALES] = rows, scale
    return content | {
        name: value.float().contiguous()
        for name, value in transformer.state_dict().items()
        if name.endswith((".weight", ".bias"))
    }


_Form = tuple[torch.dtype, torch.Size]


def _form(value: Tensor) -> _Form:
    return value.dtype, value.shape


def _expected(transformer: Transformer) -> dict[str, _Form]:
    """Return the number formats and shapes of what a file must hold for a base that was made `unfilled`."""
    shapes = {name: value.shape for name, value in transformer.state_dict().items()}
    shapes.setdefault("head.weight", shapes["embedding.weight"])  # tied, but packed for itself
    expected: dict[str, _Form] = {}
    for name, shape in shapes.items():
        if len(shape) == 2:
            expected |= {name: (torch.int8, shape), name + SCALES: (torch.float32, shape[:1])}
        else:
            expected[name] = torch.float32, shape
    return expected
