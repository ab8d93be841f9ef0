import pytest
import torch
from tiny_model import SOURCE, tiny_model, tiny_tokenizer

from dllm_lsp.engine.surprise import line_surprises
from dllm_lsp.models.checkpoints.checkpoint import Checkpoint
from dllm_lsp.models.checkpoints.errors import CapabilityError
from dllm_lsp.models.checkpoints.full import Bidirectional
from dllm_lsp.models.streams.encoded import AFTER, BEFORE

CHECKPOINT = Checkpoint(tiny_model(before=20, after=20), tiny_tokenizer())
SHORT = "x = read(path)\ny\n"


def one_by_one(ids: list[int], role: int, begin: int) -> list[float]:
    """Each token's surprise, from a stream that is encoded for it alone."""
    network, found = CHECKPOINT.model, []
    for count, token in enumerate(ids):
        seen = torch.tensor([begin, *ids[:count]])
        stream = network.stream(len(seen))
        if role == BEFORE:
            if count:
                network.encode(seen[:-1], role, stream)
            else:
                network.encode(seen, role, stream)
            last = network.read_on(stream, seen[-2:])[-1]
        else:
            last = network.transformer.logits(network.encode(seen, role, stream)[-1]).log_softmax(-1)
        found.append(-float(last[token]))
    return found


def test_a_line_is_as_surprising_as_its_tokens_from_both_sides() -> None:
    tokenizer = CHECKPOINT.tokenizer
    ids, begin = tokenizer.encode(SHORT), tokenizer.begin("python")
    assert len(ids) <= 20
    with torch.inference_mode():
        left = one_by_one(ids, BEFORE, begin)
        right = one_by_one(ids[::-1], AFTER, begin)[::-1]
    both = [(a + b) / 2 for a, b in zip(left, right, strict=True)]
    words = [(piece, nats) for piece, nats in zip(tokenizer.pieces(ids), both, strict=True) if piece.strip()]
    first = [nats for _, nats in words[:-1]]
    assert words[-1][0] == "y"
    expected = [sum(first) / len(first), words[-1][1], 0.0]
    assert line_surprises(CHECKPOINT, SHORT, "python") == pytest.approx(expected, abs=1e-4)


def test_a_long_text_is_read_in_windows() -> None:
    long = line_surprises(CHECKPOINT, SOURCE, "python")
    assert len(long) == SOURCE.count("\n") + 1
    assert [nats > 0 for nats in long] == [bool(line.strip()) for line in SOURCE.split("\n")]
    changed = line_surprises(CHECKPOINT, SOURCE + "z = 1\n" * 50, "python")
    assert changed[:3] == pytest.approx(long[:3], abs=1e-4)


@pytest.mark.parametrize("text", ["", "\n", "x", "\r\n", "é\n😀", "\ud800"])
def test_any_text_has_a_surprise_for_each_line(text: str) -> None:
    assert len(line_surprises(CHECKPOINT, text, "no language")) == text.count("\n") + 1


def test_another_model_is_refused() -> None:
    network = Bidirectional(tiny_model().transformer, family=None)  # type: ignore[arg-type]
    message = 'cannot say what surprises it: its architecture is "full", and only "streams" can'
    with pytest.raises(CapabilityError, match=message):
        line_surprises(Checkpoint(network, tiny_tokenizer()), "x", "python")
