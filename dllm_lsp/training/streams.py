"""How a network of context streams is trained: on a corpus, and on one repository; and written for the engine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import torch
from msgspec import structs

from dllm_lsp.models.checkpoints.streams import load_streams, save_streams
from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.models.streams.model import StreamsModel
from dllm_lsp.training.batches import BatchConfig, Batches
from dllm_lsp.training.config import CONFIG, PRESETS, TrainingConfig, read_config, write_config
from dllm_lsp.training.files import SourceFile, read_files
from dllm_lsp.training.repository import Split
from dllm_lsp.training.snippets import SnippetTable
from dllm_lsp.training.state import STATE, below, read_tensors
from dllm_lsp.training.trainer import BEST, Trainer

MOST_BYTES = 40_000_000
"""Weights that would be larger in float16 are stored in int8."""

_TOKENIZER = "tokenizer.json"
_TOKENIZER_CHARACTERS = 40_000_000
_CPU = torch.device("cpu")
_REPOSITORY = "."


def train(corpus: Path, run: Path, preset: str, seconds: float, weights: Path | None) -> None:
    """Train on a corpus; see `architectures.Trained`. The tokenizer is learned, or is that of `weights`."""
    run.mkdir(parents=True, exist_ok=True)
    config = _config(run, preset, seconds)
    model = _begin_from(weights, run, config) if weights else None
    files = read_files(corpus / "train.jsonl")
    tokenizer = _tokenizer(run, files, config)

    def batches(split: str, files: Sequence[SourceFile]) -> Batches:
        table = corpus / f"{split}.snippets.npz"
        related = SnippetTable.load(table, files) if config.batch.snippets else None
        return Batches(files, tokenizer, config.batch, config.seed, related)

    device = _device()
    heldout = batches("heldout", read_files(corpus / "heldout.jsonl"))
    trainer = Trainer(run, config, train=batches("train", files), heldout=heldout, device=device, model=model)
    size = sum(parameter.numel() for parameter in trainer.model.parameters())
    print(f"{size / 1e6:.2f}M parameters on {device}, {trainer.elapsed:.0f} of {config.seconds:.0f} s done")
    trainer.train()


def _config(run: Path, preset: str, seconds: float) -> TrainingConfig:
    """The run's own configuration, else the preset's, written down."""
    if (run / CONFIG).exists():
        return read_config(run)
    if preset not in PRESETS:
        raise ValueError(f'there is no preset "{preset}", but {", ".join(PRESETS)}')
    config = PRESETS[preset](seconds)
    write_config(run, config)
    return config


def _begin_from(weights: Path, run: Path, config: TrainingConfig) -> StreamsModel:
    """Load the weights and make their tokenizer the run's."""
    model, tokenizer = load_streams(weights, _CPU, torch.float32)
    if model.config != config.model:
        raise ValueError(f"the model in {weights} has not the shape that the run in {run} trains")
    tokenizer.save(run / _TOKENIZER)
    return model.train()


def _tokenizer(run: Path, files: Sequence[SourceFile], config: TrainingConfig) -> Tokenizer:
    path, size, languages = run / _TOKENIZER, config.model.transformer.vocabulary, config.batch.languages
    if not path.exists():
        texts = [file.text for file in files if not languages or file.language in languages]
        random.Random(config.seed).shuffle(texts)
        share = min(1.0, _TOKENIZER_CHARACTERS / max(1, sum(map(len, texts))))
        Tokenizer.train(texts[: max(1, int(share * len(texts)))], size).save(path)
    tokenizer = Tokenizer.load(path)
    if tokenizer.size > size:
        raise ValueError(f"{path} has {tokenizer.size} tokens, the model room for {size}")
    return tokenizer


def export(run: Path, target: Path, *, int8: bool) -> None:
    """Write the run's model to `target`, the weights in float16 or in int8; see `architectures.Trained`."""
    config = read_config(run)
    tensors, _ = read_tensors(run / STATE, _CPU)
    model = StreamsModel(structs.replace(config.model, languages=config.batch.languages))
    model.load_state_dict(below(tensors, "model."))
    is_large = sum(2 * parameter.numel() for parameter in model.parameters()) > MOST_BYTES
    dtype = torch.int8 if int8 or is_large else torch.float16
    save_streams(target, model, Tokenizer.load(run / _TOKENIZER), dtype)


class StreamsTuning:
    """A run on one repository that is begun, or taken up again; see `architectures.Tuning`."""

    def __init__(self, run: Path, base: Path, files: Split, seconds: float) -> None:
        model, self._tokenizer = load_streams(base, _CPU, torch.float32)
        config = _tuning_config(model, seconds)
        train, heldout = (_tuning_batches(part, self._tokenizer, config) for part in files)
        self._run = run
        self._trainer = Trainer(
            run, config, train=train, heldout=heldout, device=_device(), model=model.train()
        )

    @property
    def is_finished(self) -> bool:
        """Whether the budget is used up."""
        return self._trainer.is_finished

    def train(self) -> None:
        """Train until the budget is used up, or somebody stops it."""
        self._trainer.train()

    def save(self, folder: Path) -> bool:
        """Write the best model as a whole, in float16; return False where it was best before it was trained."""
        if not (self._run / BEST).exists():
            return False
        best, _ = read_tensors(self._run / BEST, _CPU)
        model = self._trainer.model.cpu()
        model.load_state_dict(best)
        save_streams(folder, model, self._tokenizer, torch.float16)
        return True


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _tuning_batches(files: Sequence[SourceFile], tokenizer: Tokenizer, config: TrainingConfig) -> Batches:
    """Cut batches of one part's files, with snippets of the same part: none of one sees the other."""
    together = [structs.replace(file, package=_REPOSITORY) for file in files]
    related = SnippetTable.build(together) if config.batch.snippets else None
    return Batches(together, tokenizer, config.batch, config.seed, related)


def _tuning_config(model: StreamsModel, seconds: float) -> TrainingConfig:
    """Small steps from a low rate that falls from early on: the model is to keep what it knows.

    Every batch has snippets, as every suggestion has in a repository.
    """
    shape = model.config
    return TrainingConfig(
        model=shape,
        batch=BatchConfig(
            documents=2,
            tokens=min(512, shape.before + shape.after),
            holes=14,
            canvas=shape.reach,
            snippets=shape.snippets,
            snippet_tokens=shape.snippet_tokens,
            with_snippets=1.0,
        ),
        seconds=seconds,
        matrix_rate=0.003,
        vector_rate=5e-4,
        warmup_steps=20,
        decay=0.9,
        heldout_batches=8,
        report_steps=40,
        loader_workers=0,
        keep_best=True,
    )
