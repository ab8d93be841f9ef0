"""What a run is watched by, on held-out files: exact completions first, and nats.

Always the same places and windows; what the base makes of them is kept, so that a later look costs little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

import torch

from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer
from dllm_lsp.training.adaptation.decoding import Completer
from dllm_lsp.training.adaptation.losses import Tally, window_loss
from dllm_lsp.training.adaptation.network import Network
from dllm_lsp.training.adaptation.places import choose
from dllm_lsp.training.adaptation.windows import WindowConfig, Windows
from dllm_lsp.training.files import SourceFile


class Task:
    """Places of several kinds, completed greedily one token a pass."""

    def __init__(
        self,
        tokenizer: TextTokenizer,
        files: Sequence[SourceFile],
        counts: Mapping[str, int],
        *,
        alone: bool = False,
        language: str = "python",
    ) -> None:
        """`counts` says how many places of each kind are taken; `alone` measures the base, see `Completer`.

        Raises ValueError if there are too few.
        """
        self._completers = {
            kind: Completer(tokenizer, choose(files, kind, count, language), alone=alone)
            for kind, count in counts.items()
        }

    def score(self, network: Network) -> dict[str, float]:
        """Return the share of places of each kind that are exactly right, blanks at the end aside."""
        scores = {}
        for kind, completer in self._completers.items():
            right = [text.rstrip() == place.expected.rstrip() for place, text in completer.complete(network)]
            scores[kind] = round(sum(right) / len(right), 4)
        return scores


class HeldOut:
    """Windows of held-out files, whose targets' nats are averaged."""

    def __init__(
        self, files: Sequence[SourceFile], tokenizer: TextTokenizer, config: WindowConfig, count: int
    ) -> None:
        self._windows = list(islice(iter(Windows(files, tokenizer, config, 0)), count))

    @torch.no_grad()
    def score(self, network: Network) -> Mapping[str, float]:
        """Return the figures of `losses.Tally`."""
        tally = Tally()
        for window in self._windows:
            tally.add(window, window_loss(network, window))
        return tally.means()
