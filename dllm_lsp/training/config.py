"""What a run is: the model's shape, its batches, its budget and its learning rates; and the presets of these."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from msgspec import DecodeError, Struct, convert, json

from dllm_lsp.models.network.transformer import TransformerConfig
from dllm_lsp.models.streams.model import StreamsConfig, StreamsModel
from dllm_lsp.training.batches import BatchConfig

CONFIG = "config.json"


class TrainingConfig(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="family",
    tag=StreamsModel.architecture,
):
    """A whole run; times in seconds. `decay` is the share of the budget in which the rate falls to zero.

    `matrix_rate` is Muon's and `vector_rate` AdamW's. With `keep_best` the weights with the least held-out canvas loss
    are kept beside the last ones. With `compile` torch.compile makes the blocks' kernels on a GPU. `loader_workers`
    are processes that cut batches; -1 takes all cores but one.
    """

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
    keep_best: bool = False
    compile: bool = False


class _Family(Struct, frozen=True):
    """What the configuration of every run says; the oldest do not."""

    family: str = StreamsModel.architecture


_Config = TypeVar("_Config", bound=Struct)


def read_config(run: Path) -> TrainingConfig:
    """Return a run's configuration; raise OSError, or ValueError with the file's name."""
    return _read(run / CONFIG, TrainingConfig)


def read_architecture(run: Path) -> str:
    """Return the name of the architecture that a run trains; raise OSError, or ValueError with the file's name."""
    return _read(run / CONFIG, _Family).family


def _read(path: Path, kind: type[_Config]) -> _Config:
    try:
        return json.decode(path.read_bytes(), type=kind)
    except DecodeError as error:
        raise ValueError(f"{path} is not the configuration of a run: {error}") from error


def write_config(run: Path, config: TrainingConfig) -> None:
    """Write a run's configuration."""
    (run / CONFIG).write_bytes(json.format(json.encode(config)) + b"\n")


def _streams(*, reach: int, before: int, after: int, snippets: int, **shape: int) -> StreamsConfig:
    """Return the architecture for a `TransformerConfig` of these fields."""
    return StreamsConfig(
        transformer=convert(shape, TransformerConfig),
        reach=reach,
        before=before,
        after=after,
        snippets=snippets,
    )


def _tiny(seconds: float) -> TrainingConfig:
    """Ten seconds of the same code, for tests."""
    return TrainingConfig(
        model=_streams(
            vocabulary=512,
            width=32,
            layers=2,
            heads=2,
            feed_forward=64,
            reach=24,
            before=384,
            after=256,
            snippets=1,
        ),
        batch=BatchConfig(documents=2, tokens=64, holes=3, canvas=24, snippets=1, snippet_tokens=32),
        seconds=seconds,
        warmup_steps=2,
        report_steps=5,
    )


def _small(seconds: float) -> TrainingConfig:
    """What a few CPU-hours serve: 2.6 million parameters."""
    return TrainingConfig(
        model=_streams(
            vocabulary=4096,
            width=192,
            layers=4,
            heads=6,
            feed_forward=512,
            reach=24,
            before=384,
            after=256,
            snippets=3,
        ),
        batch=BatchConfig(documents=4, tokens=512, holes=14, canvas=24, snippets=3, languages=("python",)),
        seconds=seconds,
        matrix_rate=0.01,
    )


def _base(seconds: float) -> TrainingConfig:
    """What a GPU of 80 GB or more serves within an hour: 27 million parameters."""
    return TrainingConfig(
        model=_streams(
            vocabulary=16384,
            width=384,
            layers=12,
            heads=6,
            feed_forward=1024,
            reach=64,
            before=1024,
            after=512,
            snippets=4,
        ),
        batch=BatchConfig(documents=64, tokens=1023, holes=12, canvas=64, snippets=4),
        seconds=seconds,
        matrix_rate=0.02,
        vector_rate=3e-3,
        warmup_steps=100,
        heldout_batches=2,
        loader_workers=-1,
        compile=True,
    )


PRESETS = {"tiny": _tiny, "small": _small, "base": _base}
