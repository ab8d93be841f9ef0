"""Whole suggestions of a tiny network, next to a llama of the same shape where llama.cpp is installed."""

from collections.abc import Sequence
from pathlib import Path

import gguf
import numpy as np
import pytest
from tiny_model import tiny_model, tiny_tokenizer
from torch import Tensor

from bench import contest as module
from bench import peer
from bench.contest import Diffusion, contest, in_turns
from bench.peer import FORMATS, PeerError, write_llama
from dllm_lsp.models.network.transformer import TransformerConfig

SHAPE = TransformerConfig(vocabulary=330, width=64, layers=2, heads=2, feed_forward=96)


@pytest.mark.parametrize("form", FORMATS)
def test_the_peer_has_the_networks_shape(form: str, tmp_path: Path) -> None:
    write_llama(tmp_path / "llama.gguf", SHAPE, 100, form)
    reader = gguf.GGUFReader(tmp_path / "llama.gguf")
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    assert {name for name in tensors if name.startswith("blk.1.")} == {
        f"blk.1.{name}.weight"
        for name in (
            *("attn_q", "attn_k", "attn_v", "attn_output", "attn_norm"),
            *("ffn_gate", "ffn_up", "ffn_down", "ffn_norm"),
        )
    }
    assert tensors["token_embd.weight"].tensor_type == FORMATS[form]
    count = sum(int(np.prod(tensor.shape)) for tensor in tensors.values() if len(tensor.shape) == 2)
    assert count == SHAPE.parameters


@pytest.mark.parametrize(("per_pass", "passes"), [(1, 6), (4, 2), (8, 1)])
def test_a_suggestion_takes_as_many_passes_as_it_needs(
    per_pass: int, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Diffusion(tiny_model().config, tiny_tokenizer(), "fp32", 1)
    masks = []
    denoise = writer._model.denoise

    def counting(canvases: Sequence[Tensor], around: Sequence) -> list[Tensor]:
        [canvas] = canvases
        masks.append(int((canvas == writer._model.tokens.mask).sum()))
        return denoise(canvases, around)

    monkeypatch.setattr(writer._model, "denoise", counting)
    assert writer.write(per_pass, 6) > 0
    assert len(masks) == passes
    assert masks == list(range(6, 0, -per_pass))


def test_each_is_asked_for_each_length_in_turn() -> None:
    asked: list[tuple[str, int]] = []

    def write(name: str, tokens: int) -> float:
        asked.append((name, tokens))
        return 2.0 * tokens

    writers = {name: lambda tokens, name=name: write(name, tokens) for name in "ab"}  # type: ignore[misc]
    assert in_turns(writers, 2) == {name: [2.0 * n for n in module.LENGTHS] for name in "ab"}
    assert asked[:4] == [("a", 8), ("b", 8), ("a", 16), ("b", 16)]


def test_without_llama_cpp_the_rest_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise PeerError("no")

    monkeypatch.setattr(module, "llama_cpp", absent)
    monkeypatch.setattr(module, "LENGTHS", (4, 8))
    monkeypatch.setattr(module, "THREADS", (1,))
    printed = contest(tiny_model().config, tiny_tokenizer(), tmp_path, rounds=1)
    assert "llama.cpp: not installed, `pip install 'dllm-lsp[bench]'`" in printed
    assert printed.count("| dllm-lsp, ") == len(module.PER_PASS)


def test_the_peer_writes_behind_its_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        peer.llama_cpp()
    except PeerError as error:
        pytest.skip(str(error))
    write_llama(tmp_path / "llama.gguf", SHAPE, 40, "f16")
    model = peer.Peer(tmp_path / "llama.gguf", 20, 8, peer.Tuning(1, False))
    written: list[list[int]] = []
    best = model._best

    def remembered() -> int:
        written[-1].append(token := best())
        return token

    monkeypatch.setattr(model, "_best", remembered)
    for _ in range(2):  # what was written before is forgotten
        written.append([])
        model.write(8)
    model.close()
    assert written[0] == written[1]
    assert len(written[0]) == 8
