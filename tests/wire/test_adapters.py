"""Adapters from the client's request to the answer: one engine's process serves all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from adapters import fine_tuned
from fake_editor import Editor, engines
from msgspec import DecodeError, msgpack

from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.wire.messages import Infill, to_engine_decoder

COMMAND = (sys.executable, "-P", str(Path(__file__).parents[1] / "tiny_engine.py"))
OpenEditor = Callable[..., Editor]


async def infilled(editor: Editor) -> list[float]:
    """Return how probable the tokens are that an editor gets."""
    hole, limits = Hole("def f(x):\n    ", "\n", "python"), Limits(tokens=6, milliseconds=1e6)
    answer = await editor.client.infill("a.py", "complete", hole, limits)
    assert answer is not None
    assert answer.pieces
    return [round(piece.probability, 3) for piece in answer.pieces]


@pytest.mark.timeout(120)  # a real engine
async def test_one_process_serves_editors_with_different_adapters(
    open_editor: OpenEditor, folder: Path, adapted_base: Path
) -> None:
    one, other = fine_tuned(1), fine_tuned(2)
    editors = [
        open_editor(COMMAND, adapter, model=str(adapted_base)) for adapter in (None, one, other, "ab" * 32)
    ]
    for editor in editors:
        await editor.client.start()
        assert (await editor.client.wait_ready(100)).state == "ready"
    assert len(engines(folder)) == 1
    own, by_one, by_other, by_none = [await infilled(editor) for editor in editors]
    assert own == by_none
    assert own != by_one != by_other != own
    await infilled(editors[-1])
    [notice] = editors[-1].notices  # and not for every request
    assert "abababab is no longer on this machine" in notice
    assert [editor.notices for editor in editors[:-1]] == [[], [], []]


@pytest.mark.parametrize("adapter", ["", "../../x", "ab" * 31, "*" * 64, "AB" * 32, 3])
def test_a_request_names_an_adapter_by_its_fingerprint_and_by_nothing_else(adapter: object) -> None:
    message = Infill(id=1, document="a.py", method="m", hole=Hole("", "", "python"))
    decoded = msgpack.decode(msgpack.encode(message))
    with pytest.raises(DecodeError, match="adapter"):
        to_engine_decoder.decode(msgpack.encode(decoded | {"adapter": adapter}))
    assert to_engine_decoder.decode(msgpack.encode(decoded | {"adapter": "ab" * 32})).adapter == "ab" * 32  # type: ignore[union-attr]
