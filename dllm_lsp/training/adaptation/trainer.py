"""Trains an adapter inside a budget of time, and goes on where it was stopped.

A run's folder holds the adapter, `state.safetensors` (what is needed to go on exactly) and `log.jsonl`. Where only
the adapter is there, the optimizer begins anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from msgspec import json, structs
from torch import nn

from dllm_lsp.models.checkpoints.adapter import RECORD
from dllm_lsp.training.adaptation.checkpoint import BaseName, Totals, load_adapter, save_adapter
from dllm_lsp.training.adaptation.config import AdaptationConfig
from dllm_lsp.training.adaptation.losses import Tally, window_loss
from dllm_lsp.training.adaptation.network import Network
from dllm_lsp.training.adaptation.windows import Window, Windows
from dllm_lsp.training.state import STATE, restore_state, save_state

LOG = "log.jsonl"
Score = Callable[[Network], Mapping[str, Any]]


class Trainer:
    """One run. `train` returns when the budget is used up or `stop` was called, the state saved."""

    def __init__(
        self,
        folder: Path,
        config: AdaptationConfig,
        *,
        network: Network,
        windows: Windows,
        base: BaseName,
        score: Score | None = None,
    ) -> None:
        """Take up the run in `folder`, or begin it; `score` measures a task on held-out files."""
        self.folder, self.config, self.network, self.windows = folder, config, network, windows
        self.base, self.score = base, score
        self.optimizer = torch.optim.AdamW(
            network.adapter.parameters(), lr=0.0, betas=(0.9, 0.98), weight_decay=0.0, fused=True
        )
        self.totals, self.stopped, self._warm = Totals(), False, 0
        if (folder / RECORD).exists():
            self.totals = load_adapter(folder, network.adapter, base)
            if (folder / STATE).exists():
                restore_state(folder, network.adapter, [self.optimizer], network.base.device)
                self._warm = config.warmup  # the optimizer remembers its gradients
            network.merged.update()
        windows.rng.seed(f"{config.seed}, {self.totals.windows} windows")  # a session goes on with new ones
        self._clock = _clock(network.base.device, config.by_the_wall)

    @property
    def is_finished(self) -> bool:
        """Whether the budget is used up."""
        return self.totals.seconds >= self.config.seconds

    def stop(self) -> None:
        """End after the step under way."""
        self.stopped = True

    def train(self, after_step: Callable[[], None] = lambda: None) -> None:
        """Train until the budget is used up; `after_step` is called after each step."""
        began, before = self._clock(), self.totals.seconds
        due = {"report": self.config.report_seconds, "save": self.config.save_seconds}
        due["score"] = self.config.score_seconds
        tally, step, stream = Tally(), self._warm, iter(self.windows)
        while not (self.stopped or self.is_finished):
            self._step(stream, step, tally)
            step += 1
            passed = self._clock() - began
            self.totals.seconds = before + passed
            after_step()
            if passed >= due["report"]:
                self._log({"training": tally.means()})
                tally, due["report"] = Tally(), passed + self.config.report_seconds
            if passed >= due["save"]:
                self.save()
                due["save"] = passed + self.config.save_seconds
            if self.score and passed >= due["score"]:
                paused = self._clock()
                self._log(self.score(self.network))
                began += self._clock() - paused
                due["score"] = passed + self.config.score_seconds
        self.save()
        if self.score and not self.stopped:
            self._log(self.score(self.network))

    def _step(self, stream: Iterator[Window], step: int, tally: Tally) -> None:
        config, totals = self.config, self.totals
        share = totals.seconds / config.seconds
        _, tokens, count = config.stage(share)
        self.windows.config = structs.replace(self.windows.config, tokens=tokens)
        for group in self.optimizer.param_groups:
            group["lr"] = config.rate_at(share, step)
        for window in islice(stream, count):
            outcome = window_loss(self.network, window)
            (outcome.loss / count).backward()
            tally.add(window, outcome)
            totals.windows += 1
            totals.holes += window.holes
            totals.targets += len(window.tokens)
        nn.utils.clip_grad_norm_(self.network.adapter.parameters(), config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.network.merged.update()
        totals.steps += 1

    def save(self) -> None:
        """Write adapter and state, replacing the last ones."""
        _, canvas, _ = self.config.stage(self.totals.seconds / self.config.seconds)
        languages = sorted({file.language for file in self.windows.files})
        save_adapter(
            self.folder, self.network.adapter, self.base, self.totals, canvas=canvas, languages=languages
        )
        save_state(self.folder, self.network.adapter, [self.optimizer], {})

    def _log(self, figures: Mapping[str, Any]) -> None:
        totals = structs.asdict(self.totals) | {"seconds": round(self.totals.seconds, 1)}
        rate = self.optimizer.param_groups[0]["lr"]
        with (self.folder / LOG).open("ab") as log:
            log.write(json.encode({"rate": round(rate, 7)} | totals | dict(figures)) + b"\n")


def _clock(device: torch.device, by_the_wall: bool) -> Callable[[], float]:
    """Processor time, so that a pause costs nothing; on the wall if that is wanted, or the work is done elsewhere."""
    return time.process_time if device.type == "cpu" and not by_the_wall else time.monotonic
