"""From a GGUF file to the folder of a checkpoint, as transformers and this package's own loader read it.

Matrices are stored in float16, which takes half of float32 and comes 17 times closer to the exact values than bfloat16
does (docs/lab.md); the few vectors stay in float32.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from dllm_lsp.fetching.errors import GgufError
from dllm_lsp.fetching.gguf_file import Floats, GgufFile
from dllm_lsp.fetching.llama import config, parameters, read_llama
from dllm_lsp.fetching.offers import Offer
from dllm_lsp.fetching.shelf import LAYOUT, RECORD, Record, fingerprint_of
from dllm_lsp.fetching.vocabulary import read_tokens, tokenizer

FAMILY = "causal"
"""The architecture that `config.json` names: a causal base, used with an adapter."""

_CHANGES = """\

Changed here by dllm-lsp, which read the values out of the GGUF file: matrices are rounded to float16, the rows of
queries and keys are in the order of transformers, and the tokenizer is written in the format of Hugging Face's
tokenizers. The Apache License 2.0: https://www.apache.org/licenses/LICENSE-2.0
"""


def write_checkpoint(source: Path, offer: Offer, folder: Path, report: Callable[[str], None]) -> None:
    """Write configuration, tokenizer, weights, NOTICE and record to a new folder, and all of it to the disk.

    Raises GgufError for a source that cannot be used, and OSError.
    """
    file = GgufFile(source)
    said = read_tokens(file)
    vocabulary = len(said.tokens)
    llama = read_llama(file, vocabulary)
    folder.mkdir()
    (folder / "tokenizer.json").write_text(tokenizer(file, said), encoding="utf-8")
    described = config(llama, file, vocabulary) | {
        "family": FAMILY,
        "base": offer.name,
        "fingerprint": fingerprint_of(offer.gguf.sha256),
    }
    (folder / "config.json").write_bytes(msgspec.json.format(msgspec.json.encode(described)) + b"\n")
    (folder / "NOTICE").write_text(f"{offer.origin}\n{_CHANGES}", encoding="utf-8")
    report(f"converting {offer.parameters / 1e6:.0f} million weights")
    stored = {name: _stored(name, values, file) for name, values in parameters(file, llama)}
    report(f"writing {sum(values.nbytes for values in stored.values()) / 1e6:.0f} MB")
    _save(stored, folder / "model.safetensors")
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    record = Record(layout=LAYOUT, source=offer.gguf.sha256, files=sizes)
    (folder / RECORD).write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    for path in [*folder.iterdir(), folder]:
        flush(path)


def flush(path: Path) -> None:
    """Have a file or folder written to the disk, so that a machine that stops later does not lose it."""
    if os.name == "nt" and path.is_dir():
        return  # folders cannot be opened there
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _stored(name: str, values: Floats, file: GgufFile) -> NDArray[np.generic]:
    """Return a parameter as it is stored; raise GgufError for values that float16 cannot hold."""
    if values.ndim < 2:
        return np.ascontiguousarray(values)
    with np.errstate(over="ignore"):
        halves = np.ascontiguousarray(values, dtype=np.float16)
    if not np.isfinite(halves).all():
        raise GgufError(f"{file.path} holds values beyond what float16 can hold, in {name}")
    return halves


def _save(stored: dict[str, NDArray[np.generic]], path: Path) -> None:
    try:
        save_file(stored, path, {"format": "pt"})
    except SafetensorError as error:  # says what went wrong in words, without its number
        raise OSError(f"{path} cannot be written: {error}") from error
