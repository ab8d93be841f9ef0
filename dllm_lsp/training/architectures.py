"""How a network of each architecture is trained, by the architecture's name; those that cannot be are not here."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from dllm_lsp.models.checkpoints.causal import Causal
from dllm_lsp.models.checkpoints.errors import CapabilityError
from dllm_lsp.models.streams.model import StreamsModel
from dllm_lsp.training import streams
from dllm_lsp.training.adaptation.tuning import AdapterTuning
from dllm_lsp.training.repository import Split


class Tuning(Protocol):
    """A run on one repository, which has a folder of its own and is taken up where it was stopped."""

    @property
    def is_finished(self) -> bool:
        """Whether the budget is used up."""
        ...

    def train(self) -> None:
        """Train until the budget is used up; SIGTERM and Ctrl-C end it early."""
        ...

    def save(self, folder: Path) -> bool:
        """Write what the engine loads, a model or an adapter of the base.

        Return False, with nothing written, if training made nothing better.
        """
        ...


class Train(Protocol):
    """Trains on a corpus."""

    def __call__(self, corpus: Path, run: Path, preset: str, seconds: float, weights: Path | None) -> None:
        """Begin a run, or take up the one in the folder, whose own configuration then counts.

        `weights` is a model to start from, its optimizer anew. Raises CheckpointError, OSError, and ValueError for bad
        input.
        """
        ...


class Export(Protocol):
    """Writes what a run on a corpus made."""

    def __call__(self, run: Path, target: Path, *, int8: bool) -> None:
        """Write the folder that the engine loads, its weights in int8 if asked for; raise OSError or ValueError."""
        ...


class Tune(Protocol):
    """Begins, or takes up, training on one repository."""

    def __call__(self, run: Path, base: Path, files: Split, seconds: float) -> Tuning:
        """Train the model in `base` for some seconds; raise CheckpointError, OSError or ValueError."""
        ...


class Trained(NamedTuple):
    """How an architecture is trained on a corpus."""

    train: Train
    export: Export


TRAINED = {
    StreamsModel.architecture: Trained(streams.train, streams.export),
}
TUNED: dict[str, Tune] = {
    StreamsModel.architecture: streams.StreamsTuning,
    Causal.architecture: AdapterTuning,
}


def trained(architecture: str) -> Trained:
    """Return how an architecture is trained on a corpus; raise CapabilityError for one that cannot be."""
    if architecture not in TRAINED:
        raise CapabilityError("be trained", architecture, TRAINED)
    return TRAINED[architecture]


def tuned(architecture: str) -> Tune:
    """Return how an architecture is tuned on a repository; raise CapabilityError for one that cannot be."""
    if architecture not in TUNED:
        raise CapabilityError("be fine-tuned", architecture, TUNED)
    return TUNED[architecture]
