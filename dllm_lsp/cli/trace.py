"""Shows a canvas after every denoising step: masks that fade into code."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from dllm_lsp.infill.pieces import Draft, Piece
from dllm_lsp.suggest.suggestion import Suggestion
from dllm_lsp.text.positions import content_of
from dllm_lsp.text.snapshot import Snapshot

_MASK = "░"
_LINES = 3  # of the document, above the cursor's and below


def print_trace(
    snapshot: Snapshot, drafts: Sequence[Draft], suggestion: Suggestion | None, console: Console | None = None
) -> None:
    """Print the line at the cursor once for every step, then what is suggested, if anything, and lines around."""
    console = console or Console(highlight=False, soft_wrap=True)
    lines = [content_of(line) for line in snapshot.lines]
    here, line = snapshot.line, lines[snapshot.line]
    before, after = line[: snapshot.column], line[snapshot.column :]
    _print_dim(console, lines[max(0, here - _LINES) : here])
    for draft in drafts:
        console.print(Text.assemble((f"{draft.step:>3} ", "dim"), before, *map(_cell, draft.pieces), after))
    if suggestion is not None:
        _print_suggested(console, before, suggestion.text, after)
    _print_dim(console, lines[here + 1 : here + 1 + _LINES])
    if suggestion is not None and (figures := suggestion.infilled) is not None:
        summary = (
            f"tokens: {len(figures.pieces)}, denoising steps: {figures.steps}, "
            f"milliseconds: {figures.milliseconds:.0f}, confidence: {suggestion.confidence:.2f}"
        )
        console.print(Text(f"\n{summary}", "dim"))


def _print_suggested(console: Console, before: str, text: str, after: str) -> None:
    """Print the line at the cursor as it would become, and the other lines of the suggestion below it."""
    style = f"bold {_shade(1.0)}"
    first, *others = text.split("\n")
    cells = [Text.assemble((" =  ", style), before, (first, style))]
    cells += [Text.assemble("    ", (line, style)) for line in others]
    cells[-1].append(after)
    for line in cells:
        console.print(line)


def _print_dim(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(Text(f"    {line}".rstrip(), "dim"))


def _cell(piece: Piece) -> tuple[str, str]:
    """Return a token's text and style: the surer the brighter, and a mask by its best proposal."""
    if piece.text is None:
        return _MASK, _shade(piece.probability)
    return piece.text.replace("\n", "⏎"), f"bold {_shade(piece.probability)}"


def _shade(probability: float) -> str:
    """Return a color from grey, for 0, to green, for 1."""
    red, green = round(110 - 30 * probability), round(110 + 110 * probability)
    return f"rgb({red},{green},{red})"
