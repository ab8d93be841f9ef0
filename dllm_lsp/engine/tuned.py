"""The model that was loaded, and what adapters that were fine-tuned on the user's repositories make of it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

from dllm_lsp import hub
from dllm_lsp.engine.model import Model
from dllm_lsp.models.checkpoints.errors import CheckpointError

KEPT = 3
"""How many adapters are kept beside the model's own. One of smollm2-135m takes 39 MB in float32."""


class Choice(NamedTuple):
    """The model that serves a request, and what a user should read of that, if anything."""

    model: Model[Any, Any, Any]
    notice: str = ""


class TunedModels:
    """A model as it was loaded, its `own` adapter with it, and with the adapters that were asked for last."""

    def __init__(self, own: Model[Any, Any, Any]) -> None:
        self.own = own
        self._choices: OrderedDict[str, Choice] = OrderedDict()

    def choose(self, adapter: str | None) -> Choice:
        """Return the model with the adapter of this fingerprint; the model's own stands in for one that cannot be had.

        What came of an adapter is remembered, so that a damaged one is not read for every keystroke.
        """
        if adapter is None:
            return Choice(self.own)
        if adapter not in self._choices:
            self._choices[adapter] = self._loaded(adapter)
        self._choices.move_to_end(adapter)
        while len(self._choices) > KEPT:
            self._choices.popitem(last=False)
        return self._choices[adapter]

    def _loaded(self, fingerprint: str) -> Choice:
        try:
            folder = hub.adapter(fingerprint)
            if folder is None:
                raise CheckpointError(f"the adapter {fingerprint[:8]} is no longer on this machine")
            if self.own.adapted is None:
                raise CheckpointError("the model takes none")
            return Choice(self.own.adapted(folder))
        except (CheckpointError, OSError) as error:
            return Choice(
                self.own,
                f"The fine-tuned adapter cannot be used, and the model serves without it: {error}. To make it anew: "
                "dllm-lsp train --repo FOLDER",
            )
