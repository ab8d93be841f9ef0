"""GGUF files: what is right is read exactly, and what is hostile or damaged is refused quickly, with a reason."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, quants
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_gguf import Shape, vocabulary, weights, write_gguf

from dllm_lsp.fetching.errors import GgufError
from dllm_lsp.fetching.gguf_file import GgufFile
from dllm_lsp.fetching.llama import parameters, read_llama
from dllm_lsp.fetching.vocabulary import read_tokens, tokenizer

FUZZ_BYTES = 30_000_000
"""Far more than the tiny model takes, far less than anything that a header can ask for."""


def examples(count: int) -> settings:
    """So many examples, which write to one folder."""
    return settings(max_examples=count, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(path: Path) -> dict[str, np.ndarray]:
    """Read all there is."""
    file = GgufFile(path)
    said = read_tokens(file)
    tokenizer(file, said)
    llama = read_llama(file, len(said.tokens))
    return dict(parameters(file, llama))


SHAPES = st.builds(
    lambda layers, groups, kept, head, feed_forward, tied: Shape(
        layers, groups * kept, kept, 32 * head, 32 * feed_forward, tied
    ),
    *[st.integers(1, 3)] * 5,
    st.booleans(),
)

KINDS = [
    GGMLQuantizationType.F32,
    GGMLQuantizationType.F16,
    GGMLQuantizationType.BF16,
    GGMLQuantizationType.Q4_0,
    GGMLQuantizationType.Q4_1,
    GGMLQuantizationType.Q8_0,
]


@examples(30)
@given(shape=SHAPES, kind=st.sampled_from(KINDS), seed=st.integers(0, 1000))
def test_what_was_written_is_read_under_transformers_names(
    tmp_path: Path, shape: Shape, kind: GGMLQuantizationType, seed: int
) -> None:
    arrays = weights(shape, seed)
    write_gguf(tmp_path / "a.gguf", shape, arrays, kind)
    found = read(tmp_path / "a.gguf")
    assert found.keys() == arrays.keys()
    for name, values in arrays.items():
        # Each row is quantized by itself, in blocks of it: laying rows otherwise changes no value.
        stored = values if values.ndim == 1 else quants.dequantize(quants.quantize(values, kind), kind)
        np.testing.assert_array_equal(found[name], stored, err_msg=name)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "a.gguf"
    write_gguf(path, Shape(layers=1), weights(Shape(layers=1)), GGMLQuantizationType.Q4_1)
    return path.read_bytes()


def check_hostile(path: Path, content: bytes) -> None:
    """It is read or refused, and takes little memory; a hang ends with the test's time."""
    path.write_bytes(content)
    said = str(path)
    tracemalloc.start()
    try:
        read(path)
    except GgufError as error:
        said = str(error)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < FUZZ_BYTES
    assert str(path) in said
    assert len(said) < 1000


@pytest.mark.timeout(120)
@examples(150)
@given(data=st.data())
def test_changed_bytes_are_read_or_refused(tmp_path: Path, good: bytes, data: st.DataObject) -> None:
    changed = bytearray(good)
    # Half of the places in the first kilobyte: counts, types and what is said of the network.
    places = st.one_of(st.integers(0, 1000), st.integers(0, len(good) - 1))
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=8)):
        changed[place] = byte
    end = data.draw(st.one_of(st.just(len(good)), st.integers(0, len(good))))
    check_hostile(tmp_path / "a.gguf", bytes(changed[:end]))


@examples(100)
@given(
    place=st.integers(0, 3000),
    number=st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1]),
)
def test_absurd_numbers_are_read_or_refused(tmp_path: Path, good: bytes, place: int, number: int) -> None:
    changed = good[:place] + struct.pack("<Q", number) + good[place + 8 :]
    check_hostile(tmp_path / "a.gguf", changed)


def text(value: str | bytes) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(content)) + content


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: str | bytes = "a", shape: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0) -> bytes:
    sizes = struct.pack(f"<{len(shape)}Q", *shape)
    return text(name) + struct.pack("<I", len(shape)) + sizes + struct.pack("<IQ", kind, offset)


def raw(
    *entries: bytes,
    tensors: tuple[bytes, ...] = (),
    data: int = 0,
    counts: tuple[int, int] | None = None,
    version: int = 3,
) -> bytes:
    """A GGUF file byte by byte; `counts` are what it declares of tensors and entries."""
    declared = counts or (len(tensors), len(entries))
    header = b"GGUF" + struct.pack("<IQQ", version, *declared) + b"".join([*entries, *tensors])
    return header + bytes(-len(header) % 32) + bytes(data)


UINT8, UINT32, STRING, ARRAY = 0, 4, 8, 9

HOSTILE = {
    "nothing": (b"", "it is truncated or damaged: at byte 0"),
    "a page": (b"<!DOCTYPE html><html>", "does not begin as one"),
    "an older version": (raw(version=1), "its version is 1, and only 3"),
    "another byte order": (raw(version=3 << 24), "its version is 50331648"),
    "countless tensors": (raw(counts=(2**63, 0)), "declares 9,223,372,036,854,775,808 tensors"),
    "countless entries": (raw(counts=(0, 2**64 - 1)), "declares 18,446,744,073,709,551,615 entries"),
    "fewer tensors than declared": (raw(counts=(5, 0)), "truncated or damaged|dimensions"),
    "an endless key": (raw(struct.pack("<Q", 2**60), counts=(0, 1)), "a key has"),
    "an endless text": (raw(entry("a", STRING, struct.pack("<Q", 2**62))), "truncated or damaged: at byte"),
    "a list that fills the memory": (
        raw(entry("a", ARRAY, struct.pack("<IQ", UINT8, 5_000_000) + bytes(5_000_000))),
        "a declares 5,000,000 values",
    ),
    "an endless list": (raw(entry("a", ARRAY, struct.pack("<IQ", UINT8, 2**63))), "values, more than"),
    "a list of endless texts": (
        raw(entry("a", ARRAY, struct.pack("<IQQ", STRING, 3, 2**63))),
        "truncated or damaged",
    ),
    "lists in lists": (raw(entry("a", ARRAY, struct.pack("<IQ", ARRAY, 1) * 2000)), "unknown type 9"),
    "an unknown type": (raw(entry("a", 77, b"")), "a is of the unknown type 77"),
    "a key twice": (raw(entry("a", UINT8, b"1"), entry("a", UINT8, b"1")), "Duplicate"),
    "a key that is no text": (raw(text(b"\xff") + struct.pack("<I", UINT8) + b"1"), "codec"),
    "alignment to nothing": (raw(entry("general.alignment", UINT32, bytes(4))), "no power of two"),
    "odd alignment": (raw(entry("general.alignment", UINT32, struct.pack("<I", 33))), "no power of two"),
    "alignment in words": (raw(entry("general.alignment", STRING, text("x"))), "no power of two"),
    "an unknown quantization": (
        raw(tensors=(tensor(kind=999),), data=128),
        "a is quantized in the unknown way",
    ),
    "half a block": (raw(tensors=(tensor(shape=(33,), kind=3),), data=128), "rows of 33 values, but"),
    "an empty tensor": (raw(tensors=(tensor(shape=(32, 0)),), data=128), "rows of 32 values"),
    "a tensor of no dimensions": (raw(tensors=(tensor(shape=()),), data=128), "a has 0 dimensions"),
    "a tensor of many dimensions": (raw(tensors=(tensor(shape=(2,) * 9),), data=4096), "a has 9 dimensions"),
    "a huge tensor": (raw(tensors=(tensor(shape=(2**40, 2**40)),), data=128), "end behind the end"),
    "a tensor whose size wraps": (raw(tensors=(tensor(shape=(2**32, 2**32)),), data=128), "end behind"),
    "data far away": (raw(tensors=(tensor(offset=2**60),), data=128), "the data of a end behind"),
    "data between": (raw(tensors=(tensor(offset=7),), data=256), "begins between two multiples of 32"),
    "shared data": (raw(tensors=(tensor("a"), tensor("b")), data=128), "tensors share their data"),
    "a tensor twice": (raw(tensors=(tensor("a"), tensor("a")), data=256), "duplicated tensor"),
    "a name that is no text": (raw(tensors=(tensor(b"\xff\xfe"),), data=128), "codec"),
    "a long name": (raw(tensors=(tensor("a" * 65),), data=128), "the name of a tensor has 65 bytes"),
    "nothing said": (raw(), "describes no model that can be used here"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused_with_a_reason(tmp_path: Path, case: str) -> None:
    content, reason = HOSTILE[case]
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    with pytest.raises(GgufError, match=reason) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).isascii()


def test_every_truncation_is_refused(tmp_path: Path, good: bytes) -> None:
    for end in [*range(0, 400, 7), *range(400, len(good), 1999), len(good) - 1]:
        (tmp_path / "a.gguf").write_bytes(good[:end])
        with pytest.raises(GgufError):
            GgufFile(tmp_path / "a.gguf")


TOKENS, MERGES = vocabulary()

WRONG = {
    "another architecture": ({"general.architecture": "gpt2"}, "general.architecture"),
    "nothing of its layers": ({"llama.block_count": None}, "llama.block_count"),
    "layers without end": ({"llama.block_count": 2**31}, "llama.block_count"),
    "more layers than there are": ({"llama.block_count": 3}, "blk.2.attn_k.weight is absent"),
    "fewer layers than there are": ({"llama.block_count": 1}, "should be absent"),
    "a width in words": ({"llama.embedding_length": "wide"}, "llama.embedding_length"),
    "another width": ({"llama.embedding_length": 128, "llama.rope.dimension_count": 32}, "64, but should be"),
    "heads that do not share": ({"llama.attention.head_count": 5}, "cannot be shared by 5 heads"),
    "no heads": ({"llama.attention.head_count": 0}, "llama.attention.head_count"),
    "partial rotation": ({"llama.rope.dimension_count": 8}, "not rotated as a whole"),
    "wider keys": ({"llama.attention.key_length": 32}, "not 16 values wide"),
    "stretched positions": ({"llama.rope.scaling.type": "yarn"}, "llama.rope.scaling.type"),
    "experts": ({"llama.expert_count": 8}, "llama.expert_count"),
    "a negative angle": ({"llama.rope.freq_base": -1.0}, "llama.rope.freq_base"),
    "an end that is no token": ({"tokenizer.ggml.eos_token_id": 9999}, "begins or ends texts"),
    "another tokenizer": ({"tokenizer.ggml.model": "llama"}, "tokenizer.ggml.model"),
    "other pieces": ({"tokenizer.ggml.pre": "qwen2"}, "tokenizer.ggml.pre"),
    "fewer tokens": ({"tokenizer.ggml.tokens": TOKENS[:-1]}, "each with its type"),
    "a token twice": ({"tokenizer.ggml.tokens": [*TOKENS[:-1], "a"]}, "all different"),
    "no tokens": ({"tokenizer.ggml.tokens": None}, "tokenizer.ggml.tokens"),
    "tokens of a strange type": ({"tokenizer.ggml.token_type": [6] * len(TOKENS)}, "unknown type 6"),
    "merges of what is not there": ({"tokenizer.ggml.merges": ["foo bar"]}, "no vocabulary that can be used"),
    "merges of one": ({"tokenizer.ggml.merges": ["ab"]}, "no vocabulary that can be used"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_such_model_is_refused_with_a_reason(tmp_path: Path, case: str) -> None:
    said, reason = WRONG[case]
    architecture = str(said.get("general.architecture", "llama"))
    said = {key: value for key, value in said.items() if key != "general.architecture"}
    write_gguf(tmp_path / "a.gguf", Shape(), weights(Shape()), said=said, architecture=architecture)
    with pytest.raises(GgufError, match=reason):
        read(tmp_path / "a.gguf")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    name = "model.layers.1.mlp.up_proj.weight"
    arrays = weights(Shape())
    arrays[name][3, 5] = value
    write_gguf(tmp_path / "a.gguf", Shape(), arrays)
    with pytest.raises(GgufError, match=r"not finite, in blk\.1\.ffn_up\.weight"):
        read(tmp_path / "a.gguf")


def test_a_tensor_of_another_name_is_refused(tmp_path: Path) -> None:
    arrays = weights(Shape()) | {"rope_freqs.weight": np.ones(8, np.float32)}
    write_gguf(tmp_path / "a.gguf", Shape(), arrays)
    with pytest.raises(GgufError, match=r"rope_freqs\.weight is 8, but should be absent"):
        read(tmp_path / "a.gguf")
