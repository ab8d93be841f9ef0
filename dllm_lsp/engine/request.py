"""One hole on its way to being filled: all that is its own, and nothing of what is filled beside it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.continuation import Continuation
from dllm_lsp.engine.denoising import step
from dllm_lsp.engine.effort import Effort
from dllm_lsp.engine.enough import is_enough
from dllm_lsp.engine.healing import Stem
from dllm_lsp.engine.length import lengths_within, merit, promise
from dllm_lsp.engine.lookup import Lookup
from dllm_lsp.engine.model import CanvasTokens, Context, Leftward, Model, Stemmed
from dllm_lsp.infill.calibration import Calibration
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled, Piece
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer

FAR_SHARE = 0.25
"""Share of a request's time after which no further snippet is encoded, nor what else may be left out.

A person who types asks again soon.
"""

BATCHES = (16, 4, 1)
"""How many canvases of a request are worked on at a time; the next where the device's memory does not hold as many."""


class Asked(NamedTuple):
    """What is asked for: a hole, and what filling it may cost. The hole is kept as text `before` it and as tokens."""

    before: str
    tokens: Stemmed
    limits: Limits
    effort: Effort


class Served(NamedTuple):
    """What all requests are served by: a model, its tokenizer, where it runs, and what its probabilities are worth.

    `relieve` gives memory back that can be missed.
    """

    model: Model[Any, Any, Any]
    tokenizer: TextTokenizer
    device: torch.device
    calibration: Calibration | None
    relieve: Callable[[], None]


class Wanted(NamedTuple):
    """What a request wants its next pass to be over: canvases [n], and the surroundings of each."""

    canvases: Sequence[Tensor]
    around: Sequence[Any]


READING = Wanted((), ())
"""What a request wants that has to read the code around its hole first: no pass, but its turn."""


class Request:
    """A request between its steps.

    `wanted` is the pass that it wants next. When it has ended, `wanted` is None, and either `infilled` or `error` is
    set. `draft` is the canvas after its last step, `encoded` how many tokens of the code around it were read for it.
    `notice` is what a user should read of the model that serves it.
    """

    def __init__(self, served: Served, context: Context, asked: Asked, budget: Budget) -> None:
        self._served, self.context, self._asked, self._budget = served, context, asked, budget
        limits = asked.limits
        self._longest = min(limits.tokens, served.model.canvas)
        stem = asked.tokens.stem
        self._stem = Stem(stem, served.tokenizer) if stem else None
        self._batches = iter(BATCHES)
        self._work = _nothing()
        self._steps = self.encoded = 0
        self.wanted: Wanted | None = None
        self.draft: Draft | None = None
        self.infilled: Infilled | None = None
        self.error: Exception | None = None
        self.notice = ""
        if limits.tokens < 1 or self._budget.is_spent:
            self.infilled = Infilled()
        else:
            self._begin()

    @property
    def model(self) -> Model[Any, Any, Any]:
        """What serves it."""
        return self._served.model

    @property
    def is_reading(self) -> bool:
        """Whether it wants its turn to read, which `take` of nothing gives to it, instead of a pass."""
        return self.wanted is READING

    def take(self, logits: Sequence[Tensor]) -> None:
        """Take the result of the wanted pass, logits [n, vocabulary] for each of its canvases, and go on."""
        self._go_on(lambda: self._work.send(logits))

    def fail(self, error: Exception) -> None:
        """Take note that the wanted pass raised an error. Where memory ran out, begin again with fewer canvases."""
        self.close()
        if not _is_out_of_memory(error):
            self.error = error
            return
        self._served.relieve()
        self._begin()

    def close(self) -> None:
        """Give back what the request holds."""
        self._work.close()
        self.wanted = None

    def _begin(self) -> None:
        batch = next(self._batches, None)
        if batch is None:
            self.error = MemoryError()
            return
        self._work = self._filled(self._asked.effort.within(batch))
        self._go_on(lambda: next(self._work))

    def _go_on(self, work: Callable[[], Wanted]) -> None:
        try:
            self.wanted = work()
        except StopIteration:
            self.wanted = None
        except Exception as error:  # the caller serves others, too
            self.fail(error)

    def _filled(self, effort: Effort) -> Generator[Wanted, Sequence[Tensor], None]:
        """Fill the hole: yield each pass that is wanted, receive its logits, and set `infilled` in the end."""
        yield READING  # who begins a request reads nothing yet
        if not (yield from self._read()):
            self.infilled = Infilled(encoded=self.encoded, milliseconds=self._budget.milliseconds)
            return
        leftward = self._served.model.leftward
        end = yield from (self._denoised(effort) if leftward is None else self._continued(leftward))
        assert self.draft is not None, "a step at least"
        self.infilled = Infilled(
            pieces=self.draft.pieces,
            end=end,
            steps=self._steps,
            passes=self._budget.spent + (self.encoded > 0),
            encoded=self.encoded,
            milliseconds=self._budget.milliseconds,
            calibration=self._served.calibration,
        )

    def _denoised(self, effort: Effort) -> Generator[Wanted, Sequence[Tensor], float]:
        """Denoise canvases of masks; return how probable the end of the best one is."""
        model, tokens = self._served.model, self._tokens
        lengths = [self._longest]
        if tokens.delete is None and not self._asked.limits.exact:
            lengths = yield from self._lengths(effort)
        with ExitStack() as stack:
            around = self._lay(stack, [self._longest] * len(lengths))
            self._budget.begin()
            canvas = Canvas.masked(tokens, lengths, self._served.device)
            while not canvas.settled:
                logits = yield Wanted(canvas.written, around)
                canvas = step(canvas, logits, effort.policy, self._budget, self._longest, stem=self._stem)
                self._steps += 1
                self._show_row(canvas.row(0))
                if len(around) == 1 and self._is_enough:
                    break
        if len(lengths) > 1:
            yield from self._read()
            self._budget.spend()
            assert model.fit is not None, "a model that cannot delete"
            fits = torch.stack([model.fit(self.context, written) for written in canvas.written])
            canvas = canvas.row(int(merit(canvas, fits).argmax()))
            self._show_row(canvas)
        return float(canvas.end[0])

    def _continued(self, leftward: Leftward) -> Generator[Wanted, Sequence[Tensor], float]:
        """Write from left to right, until all is written or the budget is spent; return how probable the end is."""
        text = Continuation.of(self._tokens, self._longest, Lookup(leftward.texts(self._asked.tokens)))
        with self._served.model.surroundings(self.context, self._longest) as around:
            self._budget.begin()
            while not text.settled:
                [logits] = yield Wanted([torch.tensor(text.canvas, device=self._served.device)], [around])
                self._budget.spend()
                self._steps += 1
                longer = text.step(logits, self._stem)
                leftward.commit(around, longer.ids[len(text.ids) :])
                text = longer
                self._show(*text.draft)
                if self._budget.is_spent or self._is_enough:
                    break
        return text.end

    def _lengths(self, effort: Effort) -> Generator[Wanted, Sequence[Tensor], list[int]]:
        """Return the lengths that the candidates begin with: those whose first passes promise most, best first."""
        lengths = lengths_within(self._longest)
        found: list[Tensor] = []
        for start in range(0, len(lengths), effort.batch):
            canvas = Canvas.masked(
                self._served.model.tokens, lengths[start : start + effort.batch], self._served.device
            )
            with ExitStack() as stack:
                logits = yield Wanted(canvas.written, self._lay(stack, canvas.lengths))
            yield from self._read()
            self._budget.spend()
            found.append(promise(canvas.proposed(logits, self._longest)))
        best = torch.cat(found).topk(min(effort.candidates, len(lengths))).indices
        return [lengths[number] for number in best.tolist()]

    def _read(self) -> Generator[Wanted, Sequence[Tensor], bool]:
        """Encode what the context lacks of this hole, a piece in each turn; return whether there was time for it.

        To be called again after each pass, before the context is used: other requests may have changed it.
        """
        share = FAR_SHARE * self._asked.limits.milliseconds
        budget, tokens, encode = self._budget, self._asked.tokens, self._served.model.encode
        while count := encode(self.context, tokens, lambda: budget.milliseconds < share):
            self.encoded += count
            if budget.is_late:
                return False
            yield READING
        return True

    def _lay(self, stack: ExitStack, lengths: Sequence[int]) -> list[Any]:
        """Return the surroundings of canvases of these lengths at most. They are given back when the stack closes."""
        model = self._served.model
        return [stack.enter_context(model.surroundings(self.context, length)) for length in lengths]

    def _show_row(self, row: Canvas) -> None:
        self._show(row.ids[0].tolist(), row.probability[0].tolist())

    def _show(self, ids: Sequence[int], probabilities: Sequence[float]) -> None:
        """Take a canvas as the draft, without the stem, which stands in the document already."""
        pieces, left, mask = list[Piece](), len(self._asked.tokens.stem), self._served.model.tokens.mask
        for i, text, probability in zip(ids, self._served.tokenizer.pieces(ids), probabilities, strict=True):
            if i == mask:
                pieces.append(Piece(None, probability))
                continue
            pieces.append(Piece(text[left:], probability))
            left = max(0, left - len(text))
        self.draft = Draft(self._steps, tuple(pieces))

    @property
    def _tokens(self) -> CanvasTokens:
        """The tokens that mean something to this request's canvases."""
        tokens = self._served.model.tokens
        return tokens.fixed if self._asked.limits.exact else tokens

    @property
    def _is_enough(self) -> bool:
        """Whether the draft needs no further pass."""
        assert self.draft is not None
        return is_enough(self.draft.pieces, self._asked.before, self._asked.limits, self._served.calibration)


def _nothing() -> Generator[Wanted, Sequence[Tensor], None]:
    """A request's work before it begins."""
    yield from ()


def _is_out_of_memory(error: Exception) -> bool:
    """Return whether a device, or this machine, has no memory left; torch says so in several ways."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)
