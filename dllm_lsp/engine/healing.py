"""Token healing: the first tokens of a hole must spell the end of what was typed before it.

A word that ends at the cursor may go on, and then its last tokens are not those that a model has seen in whole words.
So they are taken back from the code before the hole (`TextTokenizer.healed`), and the canvas begins with them.
"""

from __future__ import annotations

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
            left, position = self._unspelled(canvas, mask)
            if not left:
                continue
            longer, shorter = self._tokenizer.spelling(left)
            is_last = canvas[position + 1 : position + 2] != [mask]
            allowed = longer if longer and is_last else longer + shorter
            kept = logits[row, position, allowed].clone()
            logits[row, position] = float("-inf")
            logits[row, position, allowed] = kept
            if allowed[int(kept.argmax())] not in longer:
                writable[row, :position] = False
                writable[row, position + 1 :] = False
        return writable

    def _unspelled(self, canvas: list[int], mask: int) -> tuple[bytes, int]:
        """Return the bytes of the stem that are not spelled yet, and the position of the mask that has to spell them.

        No bytes are left if the canvas spells all of the stem.
        """
        left = self._text
        for position, token in enumerate(canvas):
            if not left:
                break
            if token == mask:
                return left, position
            left = left[len(self._tokenizer.spelled(token)) :]
        return b"", 0
