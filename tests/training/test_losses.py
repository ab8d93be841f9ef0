"""The losses of a batch are those of its documents, computed one by one with the passes that the engine runs."""

import pytest
import torch
from tiny_model import SOURCE, tiny_model, tiny_tokenizer
from torch.nn.functional import cross_entropy

from dllm_lsp.models.streams.encoded import AFTER, BEFORE, Streams
from dllm_lsp.training.batches import Batch, BatchConfig, Batches
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.losses import losses
from dllm_lsp.training.noise import IGNORED

MODEL = tiny_model()
FILES = [SourceFile("a.py", "python", SOURCE), SourceFile("b.py", "python", "x = 1\n")]
CONFIG = BatchConfig(documents=3, tokens=50, holes=4, canvas=MODEL.config.reach)


@pytest.fixture(scope="module")
def batch() -> Batch:
    """One with a document that is shorter than the others."""
    batches = Batches(FILES, tiny_tokenizer(), CONFIG, seed=0)
    found = [batches[number] for number in range(200)]
    return next(b for b in found if len(set(b.lengths.tolist())) > 1 and (b.canvas_lengths > 0).sum() > 3)


def stream_losses(batch: Batch, role: int) -> torch.Tensor:
    each = []
    for ids, length in zip((batch.before, batch.after)[role], batch.lengths.tolist(), strict=True):
        each.append(-MODEL.log_likelihoods(ids[:length], role))
    return torch.cat(each).mean()


def canvas_loss(batch: Batch) -> torch.Tensor:
    total = weight = torch.tensor(0.0)
    for row, column in batch.canvas_lengths.nonzero().tolist():
        size = int(batch.canvas_lengths[row, column])
        seen = batch.visible[row, column].tolist()
        stores = Streams(MODEL.stream(60), MODEL.stream(60))
        for role, ids in ((BEFORE, batch.before), (AFTER, batch.after)):
            MODEL.encode(ids[row, : seen[role]], role, stores[role])
        with MODEL.surroundings(stores, size) as around:
            [logits] = MODEL.denoise([batch.canvas[row, column, :size]], [around])
        targets, weights = batch.targets[row, column, :size], batch.weights[row, column, :size]
        total = (
            total + (cross_entropy(logits, targets, reduction="none", ignore_index=IGNORED) * weights).sum()
        )
        weight = weight + weights[targets != IGNORED].sum()
    return total / weight


def test_every_loss_is_the_mean_over_what_is_there(batch: Batch) -> None:
    found = losses(MODEL, batch)
    expected = stream_losses(batch, BEFORE), stream_losses(batch, AFTER), canvas_loss(batch)
    torch.testing.assert_close(torch.stack(found), torch.stack(expected), rtol=1e-4, atol=1e-4)


def test_a_batch_without_holes_has_no_canvas_loss(batch: Batch) -> None:
    empty = batch._replace(
        canvas_lengths=torch.zeros_like(batch.canvas_lengths), weights=torch.zeros_like(batch.weights)
    )
    assert losses(MODEL, empty).canvas == 0
