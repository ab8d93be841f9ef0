"""Trains the bundled architecture inside a wall-clock budget, on a CPU or a GPU, and goes on where it was stopped.

A run lives in a folder: `config.json`, `tokenizer.json`, `state.safetensors`, with `keep_best` also
`best.safetensors`, `log.jsonl`, and `losses.svg`, which draws it.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from msgspec import json
from torch import nn
from torch.utils.data import DataLoader

from dllm_lsp.models.streams.model import StreamsModel
from dllm_lsp.training.batches import Batch, Batches
from dllm_lsp.training.config import TrainingConfig
from dllm_lsp.training.curves import draw_curves
from dllm_lsp.training.interruption import interruptible
from dllm_lsp.training.levels import losses_by_level
from dllm_lsp.training.losses import Losses, losses
from dllm_lsp.training.meter import Meter, Rates
from dllm_lsp.training.muon import Muon
from dllm_lsp.training.progress import progress
from dllm_lsp.training.state import STATE, restore_state, save_state, write_tensors

BEST, LOG, CURVES = "best.safetensors", "log.jsonl", "losses.svg"


class Trainer:
    """One run. `train` returns when the budget is used up or the process is asked to stop, the state saved."""

    def __init__(
        self,
        folder: Path,
        config: TrainingConfig,
        *,
        train: Batches,
        heldout: Batches,
        device: torch.device,
        model: StreamsModel | None = None,
    ) -> None:
        """Take the run in `folder` up, or begin it, from the weights of `model` where there is one.

        Raises ValueError when the run's state cannot be read.
        """
        torch.manual_seed(config.seed)
        self.folder, self.config, self.device = folder, config, device
        self.model = (model or StreamsModel(config.model)).to(device)
        if config.compile and device.type == "cuda":
            for block in self.model.transformer.blocks:
                block.compile(dynamic=False)
        self.optimizers = _optimizers(self.model, config)
        self.batches = train
        self.heldout = [heldout[i].to(device) for i in range(config.heldout_batches)]
        self.step, self.elapsed, self.best = 0, 0.0, math.inf
        self._stopped = False
        if (folder / STATE).exists():
            at = restore_state(folder, self.model, self.optimizers, device)
            self.step, self.elapsed, self.best = int(at["step"]), at["elapsed"], at.get("best", math.inf)

    @property
    def is_finished(self) -> bool:
        """Whether the budget is used up."""
        return self.elapsed >= self.config.seconds

    def train(self) -> None:
        """Train until the budget is used up; SIGTERM and Ctrl-C end it early, at the next step."""
        if self.config.keep_best and self.step == 0:
            self.best = float(self._heldout().canvas)
        with interruptible(self._stop), progress() as bar:
            task = bar.add_task("training", total=self.config.seconds, note="")
            bar.update(task, completed=self.elapsed)
            meter, loss, began = Meter(self.model, self.device), None, time.monotonic()
            for batch in self._loader():
                if self._stopped or self.is_finished:
                    break
                loss = self._update(batch.to(self.device))
                meter.count(batch)
                self.step += 1
                if self.step % self.config.report_steps == 0:
                    bar.update(task, note=self._report(loss, meter.rates()))
                    self.save()
                    meter.start()
                now = time.monotonic()
                self.elapsed, began = self.elapsed + now - began, now
                bar.update(task, completed=self.elapsed)
            if loss is not None and self.is_finished and self.step % self.config.report_steps:
                bar.update(task, note=self._report(loss, meter.rates()))
        self.save()

    def save(self) -> None:
        """Write the state, replacing the last one whole."""
        at = {"step": self.step, "elapsed": self.elapsed, "best": self.best}
        save_state(self.folder, self.model, self.optimizers, at)

    def _loader(self) -> Iterator[Batch]:
        workers = self.config.loader_workers
        if workers < 0:
            workers = max(1, (os.cpu_count() or 2) - 1)
        return iter(
            DataLoader(
                self.batches,
                batch_size=None,
                sampler=range(self.step, 2**40),
                num_workers=workers,
                worker_init_fn=_leave_signals_to_the_trainer,
                prefetch_factor=4 if workers else None,
                pin_memory=self.device.type == "cuda",
            )
        )

    def _update(self, batch: Batch) -> Losses:
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * self._rate()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            loss = losses(self.model, batch)
        (0.5 * (loss.next + loss.previous) + loss.canvas).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        return Losses(*(value.detach() for value in loss))

    def _rate(self) -> float:
        """Share of the peak learning rate: a linear warm-up, a plateau, a linear decay to zero."""
        left = max(0.0, 1 - self.elapsed / self.config.seconds)
        return min(1.0, (self.step + 1) / self.config.warmup_steps, left / self.config.decay)

    def _report(self, loss: Losses, rates: Rates) -> str:
        heldout = self._heldout()
        if self.config.keep_best and heldout.canvas < self.best:
            self.best = float(heldout.canvas)
            write_tensors(self.folder / BEST, self.model.state_dict(), {"step": self.step})
        line = {"step": self.step, "seconds": round(self.elapsed, 1), "rate": round(self._rate(), 4)}
        line |= {f"train_{k}": round(float(v), 4) for k, v in loss._asdict().items()}
        line |= {f"heldout_{k}": round(float(v), 4) for k, v in heldout._asdict().items()}
        by_level = losses_by_level(self.model, self.heldout)
        line |= {f"heldout_{level}%_masked": round(nats, 4) for level, nats in by_level.items()}
        line |= {"tokens_per_second": round(rates.tokens), "utilization": round(rates.utilization, 4)}
        with (self.folder / LOG).open("ab") as log:
            log.write(json.encode(line) + b"\n")
        draw_curves(self.folder / LOG, self.folder / CURVES)
        return (
            f"step {self.step}, held-out canvas {heldout.canvas:.2f}, next token {heldout.next:.2f}, "
            f"{rates.tokens:,.0f} tokens/s, {rates.utilization:.0%} of the matrix peak"
        )

    def _heldout(self) -> Losses:
        with torch.no_grad():
            found = [losses(self.model, batch) for batch in self.heldout]
        return Losses(*(torch.stack(values).mean() for values in zip(*found, strict=True)))

    def _stop(self) -> None:
        self._stopped = True


def _leave_signals_to_the_trainer(worker: int) -> None:
    """In a loader's process: Ctrl-C reaches the whole group, and the last step still needs its batch."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _optimizers(model: StreamsModel, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between hidden states, AdamW for embeddings, norms and the copy head."""
    blocks = [p for p in model.transformer.blocks.parameters() if p.ndim == 2]
    matrices = [*blocks, model.behind.weight, model.left.weight]
    others = [p for p in model.parameters() if not any(p is matrix for matrix in matrices)]
    return [
        Muon([{"params": matrices, "peak": config.matrix_rate}], weight_decay=config.weight_decay),
        torch.optim.AdamW(
            [{"params": others, "peak": config.vector_rate}],
            betas=(0.9, 0.95),
            weight_decay=0.0,
            fused=True,
        ),
    ]
