"""What the engine asks of a model. Every architecture is one module beside this one that answers it.

A pass is over any number of canvases: candidates for one hole, or the holes of many requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from dllm_lsp.infill.hole import Hole


class CanvasTokens(NamedTuple):
    """The ids that mean something to a canvas; None for one that the model was not trained with.

    `delete` says that the text ends here or before, `expand` that this one mask stands for two tokens (DreamOn: Wu
    et al. 2025). `forbidden` are never written. With `waits`, a *delete* that is not sure is accepted only when
    everything to its left is written. Without, the policy may accept it at any mask, as DreamOn does.
    """

    mask: int
    delete: int | None
    expand: int | None
    forbidden: tuple[int, ...]
    waits: bool = False

    @property
    def fixed(self) -> CanvasTokens:
        """The same for canvases that keep their lengths: *delete* and *expand* are forbidden."""
        changing = tuple(token for token in (self.delete, self.expand) if token is not None)
        return self._replace(delete=None, expand=None, forbidden=(*self.forbidden, *changing))


class Leftward(NamedTuple):
    """How a text is written from left to right, where a canvas is causal as far as it is known.

    Up to its first mask, logits are those of the token given all to its left, and nothing to its right. `commit` says
    that ids, of which the last canvas in these surroundings began with all but the last, are written: later canvases
    go on behind them. `texts` returns the token sequences that are read around a hole, the code before it last.
    """

    texts: Callable[[Any], Sequence[Sequence[int]]]
    commit: Callable[[Any, Sequence[int]], None]


def without_forbidden(logits: Tensor, tokens: CanvasTokens) -> Tensor:
    """Return logits [..., vocabulary] in float32, those of forbidden tokens minus infinity."""
    return logits.float().index_fill(-1, _forbidden(tokens, logits.device), float("-inf"))


@lru_cache(maxsize=8)
def _forbidden(tokens: CanvasTokens, device: torch.device) -> Tensor:
    return torch.tensor(tokens.forbidden, dtype=torch.long, device=device)


class Context(Protocol):
    """What a model has encoded of one document, kept between requests."""

    @property
    def bytes(self) -> int:
        """The memory it takes."""
        ...


class Stemmed(Protocol):
    """A hole in a model's tokens."""

    @property
    def stem(self) -> str:
        """The text that the canvas begins with: the end of the code before the hole, written anew."""
        ...


_Context = TypeVar("_Context", bound=Context)
_Tokens = TypeVar("_Tokens", bound=Stemmed)
_Around = TypeVar("_Around")


class Model(Protocol[_Context, _Tokens, _Around]):
    """A network with its special tokens and its limits.

    It reads at most `before` and `after` tokens of context and `snippets` related snippets, and writes at most `canvas`
    tokens. It should be given `milliseconds` for a suggestion. It serves `languages`, by the names of their records, or
    all where none is named. If it `is_small`, a second thread gains it nothing, and
    costs much where the cores are busy.
    """

    tokens: CanvasTokens
    before: int
    after: int
    snippets: int
    canvas: int
    milliseconds: float
    languages: tuple[str, ...]
    is_small: bool

    def context(self, language: str) -> _Context:
        """Return the empty context of a document in a language, by its LSP id."""
        ...

    def read(self, hole: Hole) -> _Tokens:
        """Return a hole in tokens: as much of the code around it as the model reads."""
        ...

    def encode(self, context: _Context, tokens: _Tokens, has_time: Callable[[], bool]) -> int:
        """Encode a piece of what a context lacks of a hole, and drop what it has besides.

        Returns how many tokens were encoded, 0 when nothing is lacking any more. A piece takes about as long as a few
        passes; what is nearest to the hole comes first. As soon as `has_time` is false, no further snippet is
        encoded, nor what else may be left out.
        """
        ...

    def surroundings(self, context: _Context, canvas: int) -> AbstractContextManager[_Around]:
        """Lay out what one canvas of up to `canvas` tokens looks at, for as long as the block lasts.

        What is laid out does not change when the context does.
        """
        ...

    def denoise(self, canvases: Sequence[Tensor], around: Sequence[_Around]) -> Sequence[Tensor]:
        """One pass over canvases [n], each in its own surroundings; return the logits [n, vocabulary] of each.

        A canvas may differ from call to call, in its length, too. On a GPU the next call may overwrite the logits.
        """
        ...

    @property
    def leftward(self) -> Leftward | None:
        """How texts are written from left to right; None for a model that denoises whole canvases."""
        ...

    @property
    def adapted(self) -> Callable[[Path], Model[Any, Any, Any]] | None:
        """Returns this model with the adapter in a folder, or raises CheckpointError; None for one that takes none.

        What is encoded of a context, and surroundings, do not depend on the adapter: both models may use either's.
        """
        ...

    @property
    def fit(self) -> Callable[[_Context, Tensor], Tensor] | None:
        """How well the code after a finished canvas [n] follows it: a scalar, in nats a token, at most 0.

        None for a model that can delete, which has but one candidate.
        """
        ...
