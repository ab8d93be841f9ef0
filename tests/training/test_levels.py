import torch
from tiny_model import SOURCE, tiny_model, tiny_tokenizer

from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.models.streams.encoded import AFTER, BEFORE, Streams
from dllm_lsp.training.batches import Batch, BatchConfig, Batches
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.levels import LEVELS, losses_by_level

MODEL = tiny_model()
CONFIG = BatchConfig(documents=3, tokens=50, holes=6, canvas=MODEL.config.reach)


def one_by_one(batch: Batch) -> dict[int, float]:
    """The same with the passes that the engine runs, hole by hole."""
    found: dict[int, list[float]] = {}
    for row, column in batch.canvas_lengths.nonzero().tolist():
        size = int(batch.canvas_lengths[row, column])
        seen = batch.visible[row, column].tolist()
        sides = Streams(MODEL.stream(60), MODEL.stream(60))
        for role, ids in ((BEFORE, batch.before), (AFTER, batch.after)):
            MODEL.encode(ids[row, : seen[role]], role, sides[role])
        canvas, targets = (x[row, column, :size] for x in (batch.canvas, batch.targets))
        with MODEL.surroundings(sides, size) as around:
            [likelihood] = MODEL.denoise([canvas], [around])
        written = [i for i in range(size) if targets[i] != Tokenizer.delete]
        masked = [i for i in written if canvas[i] == Tokenizer.mask]
        if masked:
            level = next(level for level in LEVELS if 100 * len(masked) / len(written) <= level)
            found.setdefault(level, []).extend(-float(likelihood[i, targets[i]]) for i in masked)
    return {level: sum(nats) / len(nats) for level, nats in found.items()}


def test_the_losses_of_masked_tokens_are_sorted_by_how_much_is_masked() -> None:
    batches = Batches([SourceFile("a.py", "python", SOURCE)], tiny_tokenizer(), CONFIG, seed=1)
    batch = next(b for b in map(batches.__getitem__, range(100)) if len(one_by_one(b)) >= 3)
    found, expected = losses_by_level(MODEL, [batch]), one_by_one(batch)
    assert found.keys() == expected.keys()
    for level, nats in expected.items():
        torch.testing.assert_close(found[level], nats, rtol=1e-4, atol=1e-4)


def test_levels_that_do_not_occur_are_left_out() -> None:
    assert losses_by_level(MODEL, []) == {}
