from pathlib import Path

import pytest
import torch
from tiny_base import SHAPE, SPECIAL, base, tokenizer
from tiny_gguf import write_gguf

from dllm_lsp.models.adapted.gguf import read_gguf
from dllm_lsp.models.errors import CheckpointError

CPU = torch.device("cpu")
TEXT = "def f(x):\n    return x['größe'] + 10"


def test_a_file_holds_the_weights_and_the_tokenizer(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf")
    found, words = read_gguf(tmp_path / "tiny.gguf", CPU, torch.float32)
    assert found.shape.layers == SHAPE.layers
    assert found.shape.outputs == SHAPE.outputs
    for one, other in zip(found.layers, base().layers, strict=True):
        for name in ("attention_norm", "qkv", "out", "feed_norm", "gate_up", "down"):
            torch.testing.assert_close(getattr(one, name), getattr(other, name), atol=0, rtol=0)
    torch.testing.assert_close(found.embedding, base().embedding, atol=0, rtol=0)
    assert words.encode(TEXT) == tokenizer().encode(TEXT)
    assert words.decode(words.encode(TEXT)) == TEXT
    assert words.silent(SHAPE.vocabulary)[:SPECIAL] == list(range(SPECIAL))


def test_another_network_and_a_broken_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf(path, "gpt2")
    with pytest.raises(CheckpointError, match="gpt2"):
        read_gguf(path, CPU, torch.float32)
    path.write_bytes(b"GGUF")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_gguf(path, CPU, torch.float32)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_gguf(tmp_path / "nothing", CPU, torch.float32)
