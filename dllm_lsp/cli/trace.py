"""Shows a canvas after every denoising step: masks that fade into code."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from dllm_lsp.suggest.suggestion import Suggestion
from dllm_lsp.text.positions import content_of
from dllm_lsp.text.snapshot import Snapshot
from dllm_lsp.worker.messages import Draft, Piece

_MASK = "░"
_LINES_ABOVE = 4


def print_trace(
    snapshot: Snapshot, drafts: Sequence[Draft], suggestion: Suggestion | None, console: Console | None = None
) -> None:
    """Print the line at the cursor once for every step, and then what is suggested, if anything."""
    console = console or Console(highlight=False, soft_wrap=True)
    first = max(0, snapshot.line - _LINES_ABOVE)
    for line in snapshot.lines[first : snapshot.line]:
        console.print(Text(f"    {content_of(line)}", "dim"))
    line = content_of(snapshot.lines[snapshot.line])
    before, after = line[: snapshot.column], line[snapshot.column :]
    for draft in drafts:
        console.print(Text.assemble((f"{draft.step:>3} ", "dim"), before, *map(_cell, draft.pieces), after))
    if suggestion is None:
        return
    console.print(Text.assemble((" =  ", "bold green"), before, (suggestion.text, "bold green"), after))
    if (figures := suggestion.infilled) is not None:
        summary = (
            f"    {len(figures.pieces)} tokens in {figures.steps} denoising steps, "
            f"{figures.milliseconds:.0f} ms, confidence {suggestion.confidence:.2f}"
        )
        console.print(Text(summary, "dim"))


def _cell(piece: Piece) -> tuple[str, str]:
    """Return a token's text and style: the surer the brighter, and a mask by its best proposal."""
    if piece.text is None:
        return _MASK, _shade(piece.probability)
    return piece.text.replace("\n", "⏎"), f"bold {_shade(piece.probability)}"


def _shade(probability: float) -> str:
    """Return a color from grey, for 0, to green, for 1."""
    red, green = round(110 - 30 * probability), round(110 + 110 * probability)
    return f"rgb({red},{green},{red})"
