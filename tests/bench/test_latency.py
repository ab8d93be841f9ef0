import re
import sys
from pathlib import Path

import pytest
import torch
from suggesting_server import SuggestingServer
from tiny_model import tiny_checkpoint
from writing_engine import WritingEngine

from bench import command as bench
from bench.keystrokes import keystrokes, open_file
from bench.latency import Stopwatch, in_process, through_server
from dllm_lsp.evaluation.language_server import LanguageServer, ServerError
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.models.checkpoints.streams import save_streams
from dllm_lsp.text.document import Position
from dllm_lsp.text.snapshot import Snapshot

KEYS = keystrokes(30)
FILES = [open_file(lines, KEYS) for lines in (100, 300)]


def suggesting() -> SuggestingServer:
    """Suggests a few of the next characters that are to be typed, two times of three."""
    asked = 0

    def text(snapshot: Snapshot) -> str:
        nonlocal asked
        asked += 1
        line = snapshot.lines[snapshot.line].rstrip("\n")
        assert snapshot.column == len(line), "the cursor is not where the text was typed"
        written = "".join(KEYS)
        typed = "".join(snapshot.lines[FILES[0].cursor.line : snapshot.line]) + line
        is_known = written.startswith(typed) and asked % 3
        return written[len(typed) :].partition("\n")[0][:4] if is_known else ""

    return SuggestingServer(text)


def test_in_process_every_keystroke_is_typed_and_the_first_is_not_counted() -> None:
    engine = WritingEngine(lambda hole: "x")
    samples = in_process(engine, FILES, KEYS, Limits())  # type: ignore[arg-type]
    assert list(samples) == [100, 300]
    for sample in samples.values():
        assert len(sample.asked) == len(sample.passes) == len(KEYS) - 1
        assert set(sample.passes) == {2}
    holes: list[Hole] = [hole for document, hole, _ in engine.asked if document == "100.py"]
    assert holes[-1].before.endswith("".join(KEYS))


async def test_through_a_server_what_was_suggested_is_told_apart() -> None:
    server = suggesting()
    [sample] = (await through_server(server, FILES[:1], KEYS)).values()
    [document] = server.documents.values()
    text = "".join(document.snapshot(Position(0, 0)).lines)
    assert "".join(KEYS) in text, "what was tried was not deleted again"
    assert sample.known
    assert sample.asked
    assert len(sample.known) + len(sample.asked) == server.asked - 1


async def test_only_what_goes_on_as_suggested_counts_as_known() -> None:
    watch = Stopwatch(suggesting(), FILES[0])
    await watch.type(KEYS[0])
    assert (len(watch.asked), len(watch.known)) == (1, 0)
    await watch.type("?")
    assert (len(watch.asked), len(watch.known)) == (2, 0)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("", "the server ended"),
        (
            'body = b\'{"id":1,"error":{"code":-32603,"message":"no"}}\'\n'
            "import sys; sys.stdout.buffer.write(b'Content-Length: %d\\r\\n\\r\\n%b' % (len(body), body))",
            "answered with.*no",
        ),
    ],
)
async def test_a_server_that_fails_is_told(script: str, message: str) -> None:
    with pytest.raises(ServerError, match=message):
        async with LanguageServer.started([sys.executable, "-c", script], {}) as server:
            await server.initialize({})


def test_the_bench_prints_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_streams(tmp_path, *tiny_checkpoint(), torch.float32)
    monkeypatch.setattr(bench, "LINES", (100, 200))
    monkeypatch.setattr(bench, "STARTS", 1)
    monkeypatch.setattr(
        bench, "pass_table", lambda config, threads, rounds: f"passes of {config.transformer.width}"
    )
    bench.main([f"--model={tmp_path}", "--keystrokes=4", "--threads=1"])
    printed = capsys.readouterr().out
    assert "passes of 192\n\npasses of 384\n\n" in printed
    assert "| p50 / p95 | 100 lines | 200 lines | 200 to 100 (p50) |" in printed
    milliseconds = r"\d+\.\d / \d+\.\d"
    assert re.search(rf"`dllm-lsp --stdio`: ms \| {milliseconds} \| {milliseconds} \| \d", printed)
    assert re.search(rf"`initialize` answered: ms \| {milliseconds} \|", printed)
    assert "4 keystrokes a file" in printed


def test_a_bench_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="bench: there is no folder"):
        bench.main([f"--model={tmp_path / 'none'}"])
