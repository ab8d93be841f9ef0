"""Whether a cursor stands in a comment or in a string. Knows a language's marks, no grammar."""

from __future__ import annotations

from typing import Literal

from dllm_lsp.languages.lookup import language_of
from dllm_lsp.syntax.scanner import scan
from dllm_lsp.text.positions import content_of
from dllm_lsp.text.snapshot import Snapshot


def inside(snapshot: Snapshot) -> Literal["comment", "string"] | None:
    """Return what the cursor stands in. Everything above it is read, since a string may begin anywhere."""
    language = language_of(snapshot.language)
    above = "".join(snapshot.lines[: snapshot.line])
    text = above + content_of(snapshot.lines[snapshot.line])
    cursor = len(above) + snapshot.column
    comments = (language.line_comment, *(language.block_comment or ())[:1])
    for lexeme in scan(text, language):
        if lexeme.start >= cursor:
            break
        is_comment = text.startswith(comments, lexeme.start)
        is_open = not lexeme.is_closed or text.startswith(language.line_comment, lexeme.start)
        if not lexeme.is_bracket and (cursor < lexeme.end or (cursor == lexeme.end and is_open)):
            return "comment" if is_comment else "string"
    return None
