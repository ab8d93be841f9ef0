"""The training command: learn a tokenizer, train a model on a gathered corpus, export it.

A run folder that holds a state is taken up where it was left.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from msgspec import json

from dllm_lsp.models.streams import StreamsConfig
from dllm_lsp.models.tokenizer import Tokenizer
from dllm_lsp.models.transformer import TransformerConfig
from dllm_lsp.training.batches import BatchConfig
from dllm_lsp.training.files import SourceFile, read_files
from dllm_lsp.training.trainer import CONFIG, Trainer, TrainingConfig, read_config

_TOKENIZER_CHARACTERS = 40_000_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line `arguments` (the process's own by default); end with a message on bad input."""
    options = _parser().parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        _train(options)
    except (OSError, ValueError) as error:
        raise SystemExit(f"train: {error}") from error


def _train(options: argparse.Namespace) -> None:
    folder: Path = options.run
    folder.mkdir(parents=True, exist_ok=True)
    train = read_files(options.corpus / "train.jsonl")
    config = _config(folder, options)
    tokenizer = _tokenizer(folder, train, config.model.transformer.vocabulary, config.seed)
    heldout = read_files(options.corpus / "heldout.jsonl")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trainer = Trainer(folder, config, tokenizer, train=train, heldout=heldout, device=device)
    size = sum(parameter.numel() for parameter in trainer.model.parameters())
    print(f"{size / 1e6:.2f}M parameters on {device}, {trainer.elapsed:.0f} of {config.seconds:.0f} s done")
    trainer.train()


def _config(folder: Path, options: argparse.Namespace) -> TrainingConfig:
    """The run's own configuration, else the preset's, written down."""
    if (folder / CONFIG).exists():
        return read_config(folder)
    config = PRESETS[options.preset](options.seconds)
    (folder / CONFIG).write_bytes(json.format(json.encode(config)))
    return config


def _tokenizer(folder: Path, files: Sequence[SourceFile], size: int, seed: int) -> Tokenizer:
    path = folder / "tokenizer.json"
    if not path.exists():
        texts = [file.text for file in files]
        random.Random(seed).shuffle(texts)
        share = min(1.0, _TOKENIZER_CHARACTERS / max(1, sum(map(len, texts))))
        Tokenizer.train(texts[: max(1, int(share * len(texts)))], size).save(path)
    tokenizer = Tokenizer.load(path)
    if tokenizer.size > size:
        raise ValueError(f"{path} has {tokenizer.size} tokens, the model room for {size}")
    return tokenizer


def _streams(vocabulary: int, width: int, layers: int, heads: int, feed_forward: int) -> StreamsConfig:
    shape = TransformerConfig(
        vocabulary=vocabulary, width=width, layers=layers, heads=heads, feed_forward=feed_forward
    )
    return StreamsConfig(transformer=shape, reach=24, before=384, after=256)


def _tiny(seconds: float) -> TrainingConfig:
    """Ten seconds of the same code, for tests."""
    batch = BatchConfig(documents=2, tokens=64, holes=3, canvas=24)
    return TrainingConfig(
        model=_streams(512, 32, 2, 2, 64), batch=batch, seconds=seconds, warmup_steps=2, report_steps=5
    )


def _small(seconds: float) -> TrainingConfig:
    """What a few CPU-hours serve."""
    batch = BatchConfig(documents=4, tokens=512, holes=14, canvas=24)
    return TrainingConfig(
        model=_streams(4096, 192, 4, 6, 512), batch=batch, seconds=seconds, matrix_rate=0.01
    )


PRESETS = {"tiny": _tiny, "small": _small}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="train", description=__doc__)
    parser.add_argument(
        "--corpus", type=Path, required=True, metavar="FOLDER", help="what scripts/corpus made"
    )
    parser.add_argument("--run", type=Path, required=True, metavar="FOLDER", help="where the run lives")
    parser.add_argument(
        "--seconds", type=float, default=3600, help="wall-clock budget of a new run (default: 3600)"
    )
    parser.add_argument(
        "--preset", choices=PRESETS, default="small", help="shape of a new run (default: small)"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: torch's choice)")
    return parser
