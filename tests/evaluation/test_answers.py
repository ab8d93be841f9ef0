import pytest
from marked import snapshot_of
from tiny_model import tiny_tokenizer
from writing_engine import WritingEngine

from dllm_lsp.evaluation.answers import Answer, ask
from dllm_lsp.evaluation.holes import OpenLine
from dllm_lsp.worker.messages import Limits

PLACE = OpenLine(
    snapshot_of("def read(path):\n    return ¦\n\nx = 1\n", uri="a.py"), "word", "open(path, mode)"
)
LIMITS = Limits(passes=7)


def answer(written: str) -> Answer:
    return ask(WritingEngine(lambda hole: written), tiny_tokenizer(), PLACE, LIMITS)  # type: ignore[arg-type]


def test_the_engine_is_asked_as_an_editor_asks_it() -> None:
    engine = WritingEngine(lambda hole: "open(path, mode)")
    ask(engine, tiny_tokenizer(), PLACE, LIMITS)  # type: ignore[arg-type]
    [(document, hole, limits)] = engine.asked
    assert document == "a.py"
    assert (hole.before, hole.after) == ("def read(path):\n    return ", "\n\nx = 1\n")
    assert hole.language == "python"
    assert limits == LIMITS


def test_the_truth_is_exact() -> None:
    found = answer("open(path, mode)")
    assert found.is_exact
    assert found.confidence == pytest.approx(0.9 * 0.9 * 0.8)
    assert (found.path, found.line, found.column) == ("a.py", 2, 12)
    assert (found.tokens, found.steps, found.passes) == (2, 1, 2)
    assert found.true_tokens == len(tiny_tokenizer().encode("open(path, mode)"))
    assert found.milliseconds > 0


def test_only_the_line_counts() -> None:
    found = answer("open(path, mode)\nmore and more")
    assert found.is_exact
    assert found.tokens == 2


def test_what_the_product_would_not_show_is_not_shown() -> None:
    found = answer(")(")
    assert found.suggestion is None
    assert found.confidence == 0
    assert not found.is_exact


def test_what_is_unsure_is_shown() -> None:
    found = answer("a or b or c or d or e or f or g or h or i")
    assert found.suggestion == "a or b or c or d or e or f or g or h or i"
    assert found.confidence < 0.2
