import pytest
import torch
from clock import Clock
from tiny_model import SOURCE, tiny_model, tiny_tokenizer

from dllm_lsp.training import meter as meter_module
from dllm_lsp.training.batches import BatchConfig, Batches
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.meter import Meter, matrix_peak


def test_what_is_counted_is_what_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the products of the architecture, written out for one batch."""
    model = tiny_model()
    monkeypatch.setattr(meter_module, "matrix_peak", lambda device: 1e9)
    monkeypatch.setattr(meter_module, "time", Clock())
    config = BatchConfig(documents=2, tokens=50, holes=4, canvas=8)
    batch = Batches([SourceFile("a.py", "python", SOURCE)], tiny_tokenizer(), config, 0)[0]
    meter = Meter(model, torch.device("cpu"))
    meter.count(batch)
    rates = meter.rates()

    width, layers, feed_forward, vocabulary = 16, 2, 24, 330
    positions = 2 * (2 * 51 + 4 * 8)
    products = positions * (layers * (4 * width**2 + 3 * width * feed_forward) + width**2)
    tokens = sum(batch.lengths.tolist()) - 2
    products += (2 * tokens + int((batch.weights > 0).sum())) * vocabulary * width
    pairs = 2 * 2 * sum(range(52))
    pairs += sum(
        8 * (sum(batch.visible[d, h].tolist()) + int(batch.canvas_lengths[d, h]))
        for d in range(2)
        for h in range(4)
    )
    products += 2 * layers * width * pairs
    assert rates.tokens == tokens  # the clock lets one second pass
    assert rates.utilization == pytest.approx(6 * products / 1e9)


def test_a_peak_is_some_operations_a_second() -> None:
    assert 1e7 < matrix_peak(torch.device("cpu")) < 1e15
