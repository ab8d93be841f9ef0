"""Trains the bundled model inside a wall-clock budget, on a CPU or a GPU, and goes on where it was stopped.

A run lives in a folder: `config.json`, `tokenizer.json`, `state.safetensors` (weights, optimizer, progress) and
`log.jsonl`. Checkpoints are safetensors throughout; nothing is pickled.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

import torch
from msgspec import DecodeError, Struct, json
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from dllm_lsp.models.streams import StreamsConfig, StreamsModel
from dllm_lsp.models.tokenizer import Tokenizer
from dllm_lsp.training.batches import Batch, BatchConfig, Batches
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.losses import Losses, losses
from dllm_lsp.training.muon import Muon

CONFIG, STATE = "config.json", "state.safetensors"


class TrainingConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole run; times in seconds. `decay` is the share of the budget in which the rate falls to zero."""

    model: StreamsConfig
    batch: BatchConfig
    seconds: float
    matrix_rate: float = 0.02
    vector_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup_steps: int = 50
    decay: float = 0.5
    clip: float = 1.0
    seed: int = 0
    heldout_batches: int = 4
    report_steps: int = 100
    loader_workers: int = 1


class Trainer:
    """One run. `train` returns when the budget is used up or the process is asked to stop, the state saved."""

    def __init__(
        self,
        folder: Path,
        config: TrainingConfig,
        tokenizer: Tokenizer,
        *,
        train: Sequence[SourceFile],
        heldout: Sequence[SourceFile],
        device: torch.device,
    ) -> None:
        torch.manual_seed(config.seed)
        self.folder, self.config, self.device = folder, config, device
        self.model = StreamsModel(config.model).to(device)
        self.optimizers = _optimizers(self.model, config)
        self.batches = Batches(train, tokenizer, config.batch, config.seed)
        held_out = Batches(heldout, tokenizer, config.batch, config.seed)
        self.heldout = [held_out[i].to(device) for i in range(config.heldout_batches)]
        self.step, self.elapsed = 0, 0.0
        self._stopped = False
        if (folder / STATE).exists():
            self._restore()

    def train(self) -> None:
        """Train until the budget is used up; SIGTERM and Ctrl-C end it early, at the next step."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        with tqdm(total=round(self.config.seconds), initial=round(self.elapsed), unit="s") as bar:
            began = time.monotonic()
            for batch in self._loader():
                if self._stopped or self.elapsed >= self.config.seconds:
                    break
                loss = self._update(batch.to(self.device))
                self.step += 1
                if self.step % self.config.report_steps == 0:
                    bar.set_postfix_str(self._report(loss))
                    self.save()
                now = time.monotonic()
                self.elapsed, began = self.elapsed + now - began, now
                bar.update(min(round(self.elapsed), bar.total) - bar.n)
        self.save()

    def _loader(self) -> Iterator[Batch]:
        numbers = range(self.step, 2**40)
        return iter(
            DataLoader(
                self.batches,
                batch_size=None,
                sampler=numbers,
                num_workers=self.config.loader_workers,
                worker_init_fn=_leave_signals_to_the_trainer,
                prefetch_factor=4 if self.config.loader_workers else None,
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

    def _report(self, loss: Losses) -> str:
        with torch.no_grad():
            found = [losses(self.model, batch) for batch in self.heldout]
        heldout = Losses(*(torch.stack(values).mean() for values in zip(*found, strict=True)))
        line = {"step": self.step, "seconds": round(self.elapsed, 1), "rate": round(self._rate(), 4)}
        line |= {f"train_{k}": round(float(v), 4) for k, v in loss._asdict().items()}
        line |= {f"heldout_{k}": round(float(v), 4) for k, v in heldout._asdict().items()}
        with (self.folder / "log.jsonl").open("ab") as log:
            log.write(json.encode(line) + b"\n")
        return f"step {self.step}, held-out canvas {heldout.canvas:.3f}, next token {heldout.next:.3f}"

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True

    def save(self) -> None:
        """Write the state, replacing the last one whole."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for number, optimizer in enumerate(self.optimizers):
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{number}.{index}.{key}": value for key, value in state.items()}
        new = self.folder / f"{STATE}.new"
        contiguous = {name: value.contiguous() for name, value in tensors.items()}
        save_file(contiguous, new, metadata={"step": str(self.step), "elapsed": str(self.elapsed)})
        os.replace(new, self.folder / STATE)

    def _restore(self) -> None:
        tensors, progress = read_state(self.folder, self.device)
        self.step, self.elapsed = int(progress["step"]), float(progress["elapsed"])
        self.model.load_state_dict(below(tensors, "model."))
        for number, optimizer in enumerate(self.optimizers):
            states: dict[int, dict[str, Tensor]] = {}
            for name, value in below(tensors, f"optimizer.{number}.").items():
                index, key = name.split(".", 1)
                states.setdefault(int(index), {})[key] = value
            optimizer.load_state_dict(optimizer.state_dict() | {"state": states})


def read_config(run: Path) -> TrainingConfig:
    """Return a run's configuration; raise OSError, or ValueError with the file's name."""
    path = run / CONFIG
    try:
        return json.decode(path.read_bytes(), type=TrainingConfig)
    except DecodeError as error:
        raise ValueError(f"{path} is not the configuration of a run: {error}") from error


def read_state(run: Path, device: torch.device) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return a run's tensors and its progress; raise ValueError if they cannot be read."""
    path = run / STATE
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    except (SafetensorError, FileNotFoundError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _leave_signals_to_the_trainer(worker: int) -> None:
    """In a loader's process: Ctrl-C reaches the whole group, and the last step still needs its batch."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _optimizers(model: StreamsModel, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, AdamW for embeddings and norms."""
    matrices = [p for p in model.transformer.blocks.parameters() if p.ndim == 2]
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
