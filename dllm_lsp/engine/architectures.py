"""How the engine runs and scores a network of each architecture, by the architecture's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from dllm_lsp.engine.adapters.causal import CausalInfilling
from dllm_lsp.engine.adapters.full import BidirectionalInfilling
from dllm_lsp.engine.adapters.scored_streams import token_surprises
from dllm_lsp.engine.adapters.streams import StreamsInfilling
from dllm_lsp.engine.model import Model
from dllm_lsp.models.checkpoints.causal import Causal
from dllm_lsp.models.checkpoints.full import Bidirectional
from dllm_lsp.models.streams.model import StreamsModel


class Served(NamedTuple):
    """What the engine does with an architecture's network and its tokenizer, the first two arguments of both.

    `model` is the network as the engine asks it. `surprises` gives the surprise of each of some ids that are a text in
    a language, by its LSP id, in nats; it is None where the network scores nothing of what it reads.
    """

    model: Callable[[Any, Any], Model[Any, Any, Any]]
    surprises: Callable[[Any, Any, Sequence[int], str], list[float]] | None = None


SERVED = {
    StreamsModel.architecture: Served(StreamsInfilling, token_surprises),
    Bidirectional.architecture: Served(BidirectionalInfilling),
    Causal.architecture: Served(CausalInfilling),
}
