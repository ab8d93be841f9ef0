"""The spans being written, a row each: tokens, masks, and how sure each token was when it was accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from dllm_lsp.engine.healing import Stem
from dllm_lsp.engine.model import CanvasTokens, without_forbidden
from dllm_lsp.engine.policies import THRESHOLD, Policy, Proposals


@dataclass(frozen=True, slots=True)
class Canvas:
    """Canvases after some step, one a row: `ids` and `probability` [rows, width]; the others [rows].

    What lies behind a row's length is padding. A token's probability is the one it was accepted with; a mask's is that
    of its best proposal so far. `end` is the probability of the *delete* that ended the row, 0 if none did. `expanded`
    counts its *expands*.
    """

    tokens: CanvasTokens
    ids: Tensor
    probability: Tensor
    lengths: tuple[int, ...]
    end: Tensor
    expanded: Tensor

    @classmethod
    def masked(cls, tokens: CanvasTokens, lengths: Sequence[int], device: torch.device) -> Canvas:
        """Return canvases of nothing but masks, a row for each of `lengths`."""
        rows, width = len(lengths), max(lengths)
        return cls(
            tokens,
            ids=torch.full((rows, width), tokens.mask, device=device),
            probability=torch.zeros(rows, width, device=device),
            lengths=tuple(lengths),
            end=torch.zeros(rows, device=device),
            expanded=torch.zeros(rows, dtype=torch.long, device=device),
        )

    @property
    def open(self) -> Tensor:
        """Where masks are left, [rows, width]."""
        return self._inside & (self.ids == self.tokens.mask)

    def row(self, number: int) -> Canvas:
        """Return one row, without its padding."""
        one, length = slice(number, number + 1), self.lengths[number]
        return replace(
            self,
            ids=self.ids[one, :length],
            probability=self.probability[one, :length],
            lengths=self.lengths[one],
            end=self.end[one],
            expanded=self.expanded[one],
        )

    @property
    def written(self) -> list[Tensor]:
        """The ids [n] of each row, without its padding."""
        return [ids[:length] for ids, length in zip(self.ids, self.lengths, strict=True)]

    @property
    def settled(self) -> bool:
        """Whether no row has a mask left."""
        return not bool(self.open.any())

    def proposed(self, logits: Sequence[Tensor], longest: int, stem: Stem | None = None) -> Proposals:
        """Return what logits propose for the masks: [n, vocabulary] for each row, or a tensor of all.

        Forbidden tokens are not proposed, nor tokens that would keep a row from beginning with `stem`. *Expand* is not
        proposed in a row of `longest` tokens or more, nor in one that was expanded that often: *delete* makes room
        for *expand*, so the two could alternate for ever (DreamOn has the same two limits).
        """
        padded = without_forbidden(pad_sequence(list(logits), batch_first=True), self.tokens)
        if self.tokens.expand is not None:
            full = (torch.maximum(self._lengths, self.expanded) >= longest)[:, None]
            padded[..., self.tokens.expand] = padded[..., self.tokens.expand].masked_fill(full, float("-inf"))
        writable = self.open if stem is None else self.open & stem.narrow(self.ids, self.tokens.mask, padded)
        return Proposals.of(padded, writable)

    def step(self, proposals: Proposals, policy: Policy, sure: float = THRESHOLD) -> Canvas:
        """Commit what the policy accepts, and change the lengths as *delete* and *expand* say.

        An accepted *delete* takes the masks to its right with it. An accepted *expand* becomes two masks (DreamOn: Wu
        et al. 2025). Neither is accepted together with anything to its right, which was proposed for another place.

        Where *delete* waits, a *delete* of at least `sure` is accepted whatever the policy says. Of the others, only
        that of the leftmost mask is put to the policy. There it says that the text ends here. Further to the right it
        only says that the text ends somewhere before, which is nearly always likely: the canvas would shrink to
        nothing from the right before a token is written. docs/engine.md goes through an example.
        """
        if self.tokens.delete is None and self.tokens.expand is None:
            return self._written(proposals, policy(proposals))
        position = torch.arange(self.ids.shape[1], device=self.ids.device)
        deletes = self._proposed(proposals, self.tokens.delete)
        expands = self._proposed(proposals, self.tokens.expand)
        cut = _first(deletes & (proposals.confidence >= sure) & self.tokens.waits)
        leftmost = proposals.open & (proposals.open.cumsum(-1) == 1)
        waiting = deletes & ~leftmost & self.tokens.waits
        accepted = policy(replace(proposals, open=proposals.open & (position < cut) & ~waiting))
        accepted &= position <= _first(accepted & (deletes | expands))
        doubled = accepted & expands
        cut = torch.minimum(cut, _first(accepted & deletes))
        cut = cut.where(~doubled.any(-1, keepdim=True), len(position))
        ends = proposals.confidence.gather(-1, cut.clamp(max=len(position) - 1))
        canvas = replace(
            self._written(proposals, accepted & ~deletes & ~expands),
            end=torch.where(cut < len(position), ends, self.end[:, None])[:, 0],
        )
        return canvas._resized(self.open & (position >= cut), doubled)

    def _written(self, proposals: Proposals, where: Tensor) -> Canvas:
        """Return the rows with the proposals written at the positions `where` [rows, width]."""
        return replace(
            self,
            ids=proposals.token.where(where, self.ids),
            probability=proposals.confidence.where(proposals.open, self.probability),
        )

    def _resized(self, removed: Tensor, doubled: Tensor) -> Canvas:
        """Return the rows without the `removed` positions and with the `doubled` ones twice."""
        if not bool((removed | doubled).any()):
            return self
        count = (self._inside & ~removed).long() + doubled
        lengths = count.sum(-1).tolist()
        width = torch.arange(max(lengths), device=count.device)
        source = torch.searchsorted(count.cumsum(-1), width.expand(len(lengths), -1).contiguous(), right=True)
        source = source.clamp(max=count.shape[1] - 1)
        return replace(
            self,
            ids=self.ids.gather(-1, source),
            probability=self.probability.gather(-1, source),
            lengths=tuple(lengths),
            expanded=self.expanded + doubled.sum(-1),
        )

    @property
    def _inside(self) -> Tensor:
        return torch.arange(self.ids.shape[1], device=self.ids.device) < self._lengths[:, None]

    @property
    def _lengths(self) -> Tensor:
        return torch.tensor(self.lengths, device=self.ids.device)

    def _proposed(self, proposals: Proposals, token: int | None) -> Tensor:
        """Where this token is proposed for a mask; nowhere if there is no such token."""
        return proposals.open & (proposals.token == (-1 if token is None else token))


def _first(where: Tensor) -> Tensor:
    """Return each row's first true position [rows, 1], or the width."""
    position = torch.arange(where.shape[1], device=where.device)
    return position.where(where, where.shape[1]).amin(-1, keepdim=True)
