"""The GPU's attention gives what the CPU's does; uncompiled, it runs on a CPU too."""

import pytest
import torch
from msgspec import structs
from tiny_model import RELATED_FILES, tiny_model, tiny_tokenizer
from torch.nn.attention import flex_attention

from dllm_lsp.training import losses as losses_module
from dllm_lsp.training.batches import Batch, BatchConfig, Batches
from dllm_lsp.training.flex import FlexTrainingAttention
from dllm_lsp.training.losses import losses
from dllm_lsp.training.snippets import SnippetTable

MODEL = tiny_model()
CONFIG = BatchConfig(documents=3, tokens=50, holes=4, canvas=MODEL.config.reach)
RELATED = structs.replace(CONFIG, snippets=2, snippet_tokens=20, with_snippets=1.0)


def learned(batch: Batch) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return the losses of a batch and their gradients."""
    parameters = [p.requires_grad_() for p in MODEL.parameters()]
    found = torch.stack(losses(MODEL, batch))
    gradients = torch.autograd.grad(found.sum(), parameters)
    for parameter in parameters:
        parameter.requires_grad_(False)
    return found.detach(), list(gradients)


def is_telling(batch: Batch) -> bool:
    """Whether there are holes, places without one, documents of several lengths, with and without snippets."""
    holes = batch.canvas_lengths > 0
    snippets = batch.snippet_lengths > 0
    is_mixed = snippets.numel() == 0 or bool(snippets.any() and not snippets.any(1).all())
    return bool(holes.sum() > 3 and not holes.all()) and len(set(batch.lengths.tolist())) > 1 and is_mixed


@pytest.mark.filterwarnings("ignore:.*flex_attention called without torch.compile")
@pytest.mark.parametrize("config", [CONFIG, RELATED], ids=["alone", "with snippets"])
def test_losses_and_gradients_are_those_of_the_attention_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch, config: BatchConfig
) -> None:
    batches = Batches(RELATED_FILES, tiny_tokenizer(), config, 0, SnippetTable.build(RELATED_FILES))
    batch = next(b for b in map(batches.__getitem__, range(200)) if is_telling(b))
    expected, wanted = learned(batch)
    # PyTorch refuses gradients on a CPU, since no kernel is fast there; the plain formula that stands in has them.
    monkeypatch.setattr(flex_attention, "_validate_device", lambda *_: None)
    monkeypatch.setattr(losses_module, "TrainingAttention", FlexTrainingAttention)
    found, gradients = learned(batch)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
