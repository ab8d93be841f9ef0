"""A text that is written from left to right, several tokens a pass: greedy speculative decoding.

A canvas begins with guesses, and masks follow. Up to the first mask, logits are those of the token given all to its
left, so one pass verifies the guesses: those that are the best tokens are committed, the first that is not is replaced
by the best, and what stands to the right is guessed anew. Text and probabilities are those of one token a pass,
whatever was guessed (Stern et al. 2018, arXiv:1811.03115; Leviathan et al. 2023, arXiv:2211.17192).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile

from torch import Tensor

from dllm_lsp.engine.healing import Stem
from dllm_lsp.engine.lookup import Lookup
from dllm_lsp.engine.model import CanvasTokens, without_forbidden
from dllm_lsp.engine.tokens import shared_prefix

WIDTH = 8
"""Tokens of a canvas. On a CPU, a pass over so few costs little more than one over a single token."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """What is written of a text of at most `longest` tokens, how probable each was, and guesses at how it goes on.

    `end` is the probability of the *delete* that ended it, 0 if none did.
    """

    tokens: CanvasTokens
    longest: int
    lookup: Lookup
    guesses: tuple[int, ...]
    ids: tuple[int, ...] = ()
    probabilities: tuple[float, ...] = ()
    end: float = 0.0
    settled: bool = False

    @classmethod
    def of(cls, tokens: CanvasTokens, longest: int, lookup: Lookup) -> Continuation:
        """Return the text of which nothing is written."""
        return cls(tokens, longest, lookup, lookup.after((), WIDTH - 1))

    @property
    def canvas(self) -> list[int]:
        """What the next pass is over: guesses, then masks."""
        width = min(WIDTH, self.longest - len(self.ids))
        return [*self.guesses, *[self.tokens.mask] * width][:width]

    @property
    def draft(self) -> tuple[list[int], list[float]]:
        """What is written and masks for what is not, and how probable each is."""
        masks = 0 if self.settled else len(self.canvas)
        return [*self.ids, *[self.tokens.mask] * masks], [*self.probabilities, *[0.0] * masks]

    def step(self, logits: Tensor, stem: Stem | None = None) -> Continuation:
        """Return the text after a pass over its canvas that gave `logits` [n, vocabulary]. It begins with `stem`.

        A step commits every guess to the left of the first wrong one, and one token more.
        """
        probabilities, best = self._allowed(logits, stem).softmax(-1).max(-1)
        proposed = best.tolist()
        right = shared_prefix(proposed, self.canvas)
        known = proposed[: right + 1]
        length = known.index(self.tokens.delete) if self.tokens.delete in known else len(known)
        is_ended = length < len(known)
        ids = (*self.ids, *known[:length])
        masks = proposed[right + 1 :] if right == len(self.guesses) else []
        guesses = self.lookup.after(ids, WIDTH - 1) or takewhile(lambda i: i != self.tokens.delete, masks)
        return replace(
            self,
            guesses=tuple(guesses),
            ids=ids,
            probabilities=(*self.probabilities, *probabilities[:length].tolist()),
            end=float(probabilities[length]) if is_ended else 0.0,
            settled=is_ended or len(ids) == self.longest,
        )

    def _allowed(self, logits: Tensor, stem: Stem | None) -> Tensor:
        """Return the logits of what may be written, those of other tokens minus infinity."""
        logits = without_forbidden(logits, self.tokens)
        if stem is not None:
            for position in range(min(len(self.guesses) + 1, len(logits))):
                written = (*self.ids, *self.guesses[:position])
                stem.spell(written, logits[position], is_last=len(written) + 1 == self.longest)
        return logits
