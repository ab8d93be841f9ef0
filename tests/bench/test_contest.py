"""An adapted base next to the base in llama.cpp: turns, figures, and the peer itself where llama.cpp is installed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
from tiny_adapted import infilling, tiny_adapted, tokenizer
from tiny_checkpoints import trained_encoder
from tiny_gguf import SPECIAL, Shape, weights, write_gguf
from tiny_model import SOURCE

from bench import contest as module
from bench.contest import KIND, Contest, Outcome, Turn, contest_table, is_exact, main, stretched
from bench.peer import Peer, PeerError, Tuning, llama_cpp
from dllm_lsp.engine.adapters.causal import CausalInfilling
from dllm_lsp.engine.loading import Loaded
from dllm_lsp.evaluation.case import Case
from dllm_lsp.evaluation.holes import cut_holes
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Infilled, Piece
from dllm_lsp.models.checkpoints.causal import Causal
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer, token_bytes
from dllm_lsp.training.files import SourceFile

LOADED = Loaded(infilling(), tokenizer(), "fp32")
CASES = list(islice(cut_holes([SourceFile("a.py", "python", SOURCE)], 0, [KIND]), 3))


class Scripted:
    """Writes what it is told to, and notes in a list that contestants share what it was asked for."""

    def __init__(self, name: str, asked: list[tuple[str, Hole, Limits]], text: Callable[[Hole], str]) -> None:
        self.name, self.asked, self.text = name, asked, text

    def encode(self, hole: Hole) -> float:
        return 7.0

    def infill(self, hole: Hole, limits: Limits) -> Infilled:
        self.asked.append((self.name, hole, limits))
        return Infilled(pieces=(Piece(self.text(hole), 0.9),), end=1.0, steps=1)


def truth_at(hole: Hole) -> str:
    [case] = [case for case in CASES if case.before.endswith(hole.before) and hole.before]
    return case.truth


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> tuple[Outcome, list[tuple[str, Hole, Limits]]]:
    """Both fill the rests of three lines; at the first two, suggestions of two lengths in two rounds."""
    monkeypatch.setattr(module, "LENGTHS", (2, 4))
    asked: list[tuple[str, Hole, Limits]] = []
    both = {"peer": Scripted("peer", asked, lambda hole: "x"), "ours": Scripted("ours", asked, truth_at)}
    return Contest(LOADED, both).run(CASES, timed=2, rounds=2), asked


def test_they_fill_the_same_holes_in_turns(run: tuple[Outcome, list[tuple[str, Hole, Limits]]]) -> None:
    outcome, asked = run
    assert [name for name, _, _ in asked] == ["peer", "ours"] * (len(asked) // 2)
    for (_, hole, limits), (_, same, equal) in zip(asked[::2], asked[1::2], strict=True):
        assert (hole, limits) == (same, equal)
    assert [len(turns) for turns in (outcome.lines, *outcome.lengths.values())] == [3, 2, 2]
    assert all(len(turns["ours"].milliseconds) == 1 for turns in outcome.lines)
    assert all(len(turns["ours"].milliseconds) == 2 for turns in outcome.lengths[4])
    assert {limits.tokens for _, _, limits in asked if limits.exact} == {2, 4}
    assert all(turns["ours"].is_exact and not turns["peer"].is_exact for turns in outcome.lines)
    assert outcome.encoded == [{"peer": 7.0, "ours": 7.0}] * 2


def test_the_table_says_how_many_times_as_fast(run: tuple[Outcome, list[tuple[str, Hole, Limits]]]) -> None:
    outcome, _ = run

    def turn(milliseconds: float, tokens: int) -> Turn:
        return Turn(Infilled(pieces=(Piece("x", 1.0),) * tokens, steps=2), [milliseconds], True)

    lengths = {8: [{"peer": turn(90, 2), "ours": turn(60, 4)}], 16: []}
    printed = contest_table(Outcome(lengths, outcome.lines, outcome.encoded))
    assert "| 8 | 16 | the rest of a line: ms | exactly right |" in printed
    assert "| peer | 90 | - |" in printed
    assert "| ours | 60 (1.50x) | - |" in printed
    assert "| its tokens a pass | 2.00 | - | 1.00 |" in printed
    assert "| 100.0% | 7 |" in printed


@pytest.mark.parametrize("tokens", [12, 30])
def test_a_longer_suggestion_takes_code_out_of_what_follows(tokens: int) -> None:
    for case in CASES:
        longer = stretched(case, tokens, LOADED)
        assert longer is not None
        assert longer.truth + longer.after == case.truth + case.after
        stem = LOADED.model.read(module.hole_of(case, LOADED)).stem
        assert LOADED.tokenizer.encode(stem + case.truth + case.after)[:tokens] == LOADED.tokenizer.encode(
            stem + longer.truth
        )


def test_where_too_little_follows_there_is_none() -> None:
    assert stretched(CASES[0], 10_000, LOADED) is None


def test_only_the_whole_truth_is_exact() -> None:
    case = Case("a.py", KIND, "def f(x):\n    return ", "x + 1", "\n")
    assert is_exact(case, Infilled(pieces=(Piece("x +", 1.0), Piece(" 1\n", 1.0)), end=1.0))
    assert not is_exact(case, Infilled(pieces=(Piece("x", 1.0),), end=1.0))
    assert not is_exact(case, Infilled())


def test_a_missing_llama_cpp_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError("No module named 'llama_cpp'")

    (tmp_path / "a.py").write_text(SOURCE)
    monkeypatch.setattr(module, "load_model", lambda *_: LOADED)
    monkeypatch.setattr(module, "fetched", lambda name: tmp_path)
    monkeypatch.setattr(module, "source", lambda *_: tmp_path / "base.gguf")
    monkeypatch.setattr("bench.peer.importlib.import_module", absent)
    with pytest.raises(
        SystemExit, match=r"contest: llama.cpp cannot be loaded: pip install 'dllm-lsp\[bench\]'"
    ):
        main([str(tmp_path)])


def test_a_model_without_such_a_base_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="contest: bundled is no causal base"):
        main([str(tmp_path), "--model=bundled"])


@pytest.fixture
def peer(tmp_path: Path) -> Peer:
    try:
        llama_cpp()
    except PeerError as error:
        pytest.skip(str(error))
    write_gguf(tmp_path / "tiny.gguf", Shape(), weights(Shape()))
    encoder = trained_encoder()
    spelled = {i + len(SPECIAL): text for i, text in token_bytes(encoder.get_vocab()).items()}
    words = TextTokenizer(encoder, spelled, len(SPECIAL))
    reader = CausalInfilling(Causal(tiny_adapted(), "", 2, canvas=12), words)
    return Peer(tmp_path / "tiny.gguf", reader, words, Tuning(1, False, batch=8))


def test_the_peer_writes_the_same_whatever_it_has_cached(peer: Peer) -> None:
    limits = Limits(tokens=6, exact=True)
    holes = [module.hole_of(case, LOADED) for case in CASES]
    first = [peer.infill(hole, limits) for hole in holes]
    assert [peer.infill(hole, limits) for hole in reversed(holes)] == first[::-1]
    assert peer.encode(holes[0]) > 0
    assert peer.infill(holes[0], limits) == first[0]
    assert all(len(each.pieces) == each.steps == 6 for each in first)
    peer.close()


def test_the_peer_writes_the_word_anew_that_the_cursor_cuts(peer: Peer) -> None:
    before = "def read(path):\n    return pa"
    found = peer.infill(Hole(before, "", "python"), Limits(tokens=6, extent="line"))
    assert "\n" not in "".join(piece.text or "" for piece in found.pieces[:-1])
    assert found.text == "".join(piece.text or "" for piece in found.pieces)
    peer.close()
