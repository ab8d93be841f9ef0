"""How the engine runs and scores a network of each architecture, by the architecture's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dllm_lsp.engine.adapters.causal import CausalInfilling
from dllm_lsp.engine.adapters.full import BidirectionalInfilling
from dllm_lsp.engine.adapters.scored_streams import token_surprises
from dllm_lsp.engine.adapters.streams import StreamsInfilling
from dllm_lsp.engine.model import Model
from dllm_lsp.models.checkpoints.causal import Causal, adapter_record
from dllm_lsp.models.checkpoints.full import Bidirectional
from dllm_lsp.models.streams.model import StreamsModel


class Served(NamedTuple):
    """How the engine uses the networks of an architecture. The first two take a network and its tokenizer first.

    `model` returns the network as the engine asks it. `surprises` also takes the ids of a text and its language, by
    LSP id, and returns how surprising each id is, in nats. It is None for networks that do not score what they read.
    `record` returns the JSON file that describes the weights in a checkpoint's folder.
    """

    model: Callable[[Any, Any], Model[Any, Any, Any]]
    surprises: Callable[[Any, Any, Sequence[int], str], list[float]] | None = None
    record: Callable[[Path], Path] = lambda folder: folder / "config.json"


SERVED = {
    StreamsModel.architecture: Served(StreamsInfilling, token_surprises),
    Bidirectional.architecture: Served(BidirectionalInfilling),
    Causal.architecture: Served(CausalInfilling, record=adapter_record),
}
