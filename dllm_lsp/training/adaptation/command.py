"""Trains an adapter for a base on a gathered corpus."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from dllm_lsp.fingerprints import fingerprint
from dllm_lsp.models.checkpoints.causal import load_base
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer
from dllm_lsp.training.adaptation.adapter import Adapter
from dllm_lsp.training.adaptation.base import base_of
from dllm_lsp.training.adaptation.checkpoint import BaseName
from dllm_lsp.training.adaptation.config import AdaptationConfig
from dllm_lsp.training.adaptation.network import Network
from dllm_lsp.training.adaptation.precision import training_precision
from dllm_lsp.training.adaptation.task import HeldOut, Task
from dllm_lsp.training.adaptation.trainer import Score, Trainer
from dllm_lsp.training.adaptation.windows import Windows
from dllm_lsp.training.files import read_files
from dllm_lsp.training.interruption import interruptible


def adapt(folder: Path, corpus: Path, run: Path, config: AdaptationConfig) -> None:
    """Begin a run for the base in `folder`, or take up the one in `run`.

    Raises CheckpointError, OSError, and ValueError for bad input.
    """
    run.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = training_precision(device)
    torch.manual_seed(config.seed)
    network, tokenizer = load_base(folder, device, torch.float32)
    base = base_of(network, precision.dtype)
    files = read_files(corpus / "train.jsonl")
    adapter = Adapter(base.shape, config.rank, base.embedding.float().mean(0)).to(device)
    windows = Windows(files, tokenizer, config.window, config.seed)
    trained = Network(base, adapter)
    score = _score(tokenizer, corpus / "heldout.jsonl", config)
    name = BaseName(folder.name, fingerprint(folder))
    trainer = Trainer(run, config, network=trained, windows=windows, base=name, score=score)
    trainer.totals.note(precision.reason)
    print(
        f"{len(files)} files; {precision.dtype} on {precision.reason}; process {os.getpid()}; "
        f"{trainer.totals.seconds:.0f} of {config.seconds:.0f} s done",
        flush=True,
    )
    with interruptible(trainer.stop):
        trainer.train()


def _score(tokenizer: TextTokenizer, heldout: Path, config: AdaptationConfig) -> Score:
    """Measure exact completions of the rest of a line and of lines, and nats; the main language's."""
    files = [file for file in read_files(heldout) if file.language == config.window.main_language]
    counts = {"rest_of_line": config.places, "line": config.places // 3}
    task = Task(tokenizer, files, counts, language=config.window.main_language)
    windows = HeldOut(files, tokenizer, config.window, config.heldout_windows)
    return lambda network: {"exact": task.score(network), "heldout": windows.score(network)}
