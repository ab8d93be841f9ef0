"""Trains the adapter that ships for a base further, on one repository; see `architectures.Tuning`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from msgspec import structs

from dllm_lsp.fingerprints import fingerprint
from dllm_lsp.models.checkpoints.causal import load_base, shipped_adapter
from dllm_lsp.training.adaptation.base import base_of
from dllm_lsp.training.adaptation.checkpoint import BaseName, begin_with, save_adapter
from dllm_lsp.training.adaptation.config import AdaptationConfig, Stage
from dllm_lsp.training.adaptation.network import Network
from dllm_lsp.training.adaptation.precision import training_precision
from dllm_lsp.training.adaptation.trainer import Trainer
from dllm_lsp.training.adaptation.windows import WindowConfig, Windows
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.interruption import interruptible
from dllm_lsp.training.progress import progress
from dllm_lsp.training.repository import Split

_REPOSITORY = "."
_TOKENS = 32  # of a hole; longer ones take time, and were learned before
_TRIES = 3  # windows that are cut of a file, before it is said to have none


class AdapterTuning:
    """A run on one repository that is begun, or taken up again."""

    def __init__(self, run: Path, base: Path, files: Split, seconds: float) -> None:
        began = time.monotonic()
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network, tokenizer = load_base(base, device, torch.float32)
        precision = training_precision(device)
        weights = base_of(network, precision.dtype)
        self._base = BaseName(base.name, fingerprint(base))
        adapter, self._before = begin_with(shipped_adapter(base), weights.shape, self._base)
        self._adapter = adapter.to(device)
        together = [structs.replace(file, package=_REPOSITORY) for file in files.train]
        config = _config(seconds)
        windows = Windows(together, tokenizer, config.window, config.seed)
        _check(windows, together)
        config = structs.replace(config, seconds=max(0.0, seconds - (time.monotonic() - began)))
        trained = Network(weights, self._adapter)
        self._trainer = Trainer(run, config, network=trained, windows=windows, base=self._base)
        self._trainer.totals.note(precision.reason)

    @property
    def is_finished(self) -> bool:
        """Whether the budget is used up."""
        return self._trainer.is_finished

    def train(self) -> None:
        """Train until the budget is used up, or somebody stops it."""
        trainer = self._trainer
        with interruptible(trainer.stop), progress() as bar:
            task = bar.add_task("training", total=trainer.config.seconds, note="")

            def show() -> None:
                totals = trainer.totals
                note = f"step {totals.steps}, {totals.holes:,} holes"
                bar.update(task, completed=totals.seconds, note=note)

            show()
            trainer.train(show)

    def save(self, folder: Path) -> bool:
        """Write the adapter; return False where there was no time for a single step."""
        trainer, before = self._trainer, self._before
        if not trainer.totals.steps:
            return False
        save_adapter(
            folder,
            self._adapter,
            self._base,
            trainer.totals,
            canvas=max(before.canvas, _TOKENS),
            languages=sorted({*before.languages, *(file.language for file in trainer.windows.files)}),
        )
        return True


def _config(seconds: float) -> AdaptationConfig:
    """A low rate that falls from early on: the adapter is to keep what it knows. Files count by their size."""
    return AdaptationConfig(
        seconds=seconds,
        by_the_wall=True,
        rate=3e-4,
        warmup=5,
        decay=0.9,
        stages=(Stage(0.0, _TOKENS, 1),),
        window=WindowConfig(main_language="", with_snippets=1.0),
        save_seconds=60.0,
    )


def _check(windows: Windows, files: Sequence[SourceFile]) -> None:
    """Raise ValueError if no window can be cut of the files, which would be waited for without end."""
    if not any(windows.cut(file) for _ in range(_TRIES) for file in files):
        raise ValueError("the files to learn from have no line of code that anything could be learned at")
