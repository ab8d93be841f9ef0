"""`textDocument/inlineCompletion`: from the client's request to a suggestion in the client's terms."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from dllm_lsp.autocomplete import Autocomplete
from dllm_lsp.server.documents import Documents
from dllm_lsp.server.latest import Latest
from dllm_lsp.server.protocol import (
    InlineCompletionItem,
    InlineCompletionList,
    InlineCompletionParams,
    Range,
    SelectedCompletion,
)
from dllm_lsp.server.service import Service
from dllm_lsp.suggest.suggestion import Suggestion
from dllm_lsp.text.document import Document, split_lines
from dllm_lsp.text.snapshot import Snapshot

Answer = InlineCompletionList | None


class InlineCompletion:
    """Answers requests from the documents as they are when a request is read."""

    def __init__(self, documents: Documents, service: Service) -> None:
        self._documents = documents
        self._service = service
        self._latest: Latest[Suggestion | None] = Latest()

    def answer(self, params: InlineCompletionParams) -> Coroutine[Any, Any, Answer] | None:
        """Take the snapshot now, and return what will complete it; None where nothing can be suggested."""
        document = self._documents.find(params.text_document)
        autocomplete = self._service.autocomplete
        if document is None or autocomplete is None:
            return None
        snapshot = document.snapshot(params.position)
        selected = params.context.selected_completion_info
        if selected is None:
            cursor = document.position(snapshot.line, snapshot.column)
            return self._complete(autocomplete, document, snapshot, Range(cursor, cursor), "")
        accepted = accept(document, snapshot, selected)
        if accepted is None:
            return None
        return self._complete(autocomplete, document, accepted, selected.range, selected.text)

    def forget(self, uri: str) -> None:
        """Stop working on a document."""
        self._latest.cancel(uri)

    async def _complete(
        self, autocomplete: Autocomplete, document: Document, snapshot: Snapshot, range: Range, start: str
    ) -> Answer:
        suggestion = await self._latest.run(snapshot.uri, autocomplete.suggest(snapshot))
        if suggestion is None or document.version != snapshot.version:
            return None
        return InlineCompletionList([InlineCompletionItem(start + suggestion.text, range)])


def accept(document: Document, snapshot: Snapshot, selected: SelectedCompletion) -> Snapshot | None:
    """Return the snapshot as if the menu's selected text were accepted, so that a suggestion extends it.

    None for a selection that no ghost text can extend: one that does not end at the cursor, spans lines, or
    does not begin with what it replaces (VS Code hides such items).
    """
    line, start = document.place(selected.range.start)
    if line != snapshot.line or document.place(selected.range.end) != (line, snapshot.column):
        return None
    text = snapshot.lines[line]
    replaced = text[start : snapshot.column]
    if len(split_lines(selected.text)) > 1 or not selected.text.startswith(replaced):
        return None
    lines = list(snapshot.lines)
    lines[line] = text[:start] + selected.text + text[snapshot.column :]
    return replace(snapshot, lines=tuple(lines), column=start + len(selected.text))
