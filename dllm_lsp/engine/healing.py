"""Token healing: the first tokens of a hole must spell the end of what was typed before it.

A word that ends at the cursor may go on, and then its last tokens are not those that a model has seen in whole words.
So they are taken back from the code before the hole (`TextTokenizer.healed`), and the canvas begins with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from torch import Tensor

from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer


class Stem:
    """The bytes that every canvas must begin with."""

    def __init__(self, text: str, tokenizer: TextTokenizer) -> None:
        self._text = text.encode("utf-8", "replace")
        self._tokenizer = tokenizer

    def narrow(self, ids: Tensor, mask: int, logits: Tensor) -> Tensor:
        """Forbid tokens that do not spell the stem, and return which positions may be written, [rows, width].

        Takes canvases [rows, width] and their logits [rows, width, vocabulary], which it changes: at the first mask
        that has a part of the stem to spell, only tokens that spell it keep their logits. If that mask's best token
        leaves more of the stem to spell, the mask alone may be written in its row; otherwise every mask may.
        """
        writable = ids == mask
        for row, canvas in enumerate(ids.tolist()):
            written = list(takewhile(lambda token: token != mask, canvas))
            position = len(written)
            is_last = canvas[position + 1 : position + 2] != [mask]
            if position < len(canvas) and not self.spell(written, logits[row, position], is_last=is_last):
                writable[row, :position] = False
                writable[row, position + 1 :] = False
        return writable

    def spell(self, written: Sequence[int], logits: Tensor, *, is_last: bool) -> bool:
        """Forbid tokens behind `written` that do not spell the stem; return whether the best one leaves none of it.

        Changes the token's logits [vocabulary]. If it `is_last`, it spells all that is left where any token does.
        """
        left = self._text[sum(len(self._tokenizer.spelled(token)) for token in written) :]
        if not left:
            return True
        longer, shorter = self._tokenizer.spelling(left)
        allowed = longer if longer and is_last else longer + shorter
        kept = logits[allowed]
        logits.fill_(float("-inf"))
        logits[allowed] = kept
        return allowed[int(kept.argmax())] in longer
