"""`textDocument/inlineCompletion`: from the client's request to a suggestion in the client's terms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from lsprotocol import types

from dllm_lsp.server.backend import Backend
from dllm_lsp.server.converter import InlineCompletionParams
from dllm_lsp.server.documents import Documents, position
from dllm_lsp.server.latest import Latest
from dllm_lsp.text.document import Document, Position, split_lines
from dllm_lsp.text.snapshot import Snapshot

if TYPE_CHECKING:
    from dllm_lsp.assist.autocomplete import Autocomplete

WAIT_SECONDS = 120.0  # for the first engine; a newer request ends the waiting

Answer = types.InlineCompletionList | None


class InlineCompletion:
    """Answers requests from the documents as they are when a request is read.

    The answer is null for a request that a newer one or an edit has overtaken, and as long as the session has
    never had an engine. Else it is a list, which is empty where nothing is to be suggested: Neovim shows old
    ghost text on after a null, and takes it away at an empty list. Requests wait for the first engine while it loads,
    unless the client is told to ask again.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._latest: Latest[Answer] = Latest()
        self._shown: dict[str, Shown] = {}
        self.waits = True
        """Whether requests wait for the first engine."""

    async def answer(self, documents: Documents, params: InlineCompletionParams) -> Answer:
        """Take the snapshot now, before anything is awaited, and complete it."""
        document = documents.find(params.text_document)
        if document is None:
            return None
        snapshot = document.snapshot(position(params.position))
        cursor = place(document, snapshot.line, snapshot.column)
        wanted, range, start = snapshot, types.Range(cursor, cursor), ""
        if params.selected is not None:
            accepted = accept(document, snapshot, params.selected)
            if accepted is None:
                return types.InlineCompletionList([])
            start = params.selected.text
            replaced = place(document, accepted.line, accepted.column - len(start))
            wanted, range = accepted, types.Range(replaced, cursor)
        whole = documents.in_context(wanted)
        work = self._complete(whole, range, start, is_invoked=params.is_invoked)
        answer = await self._latest.run(snapshot.uri, work)
        if document.version != snapshot.version:
            return None
        for item in answer.items if answer is not None else ():
            self._shown[snapshot.uri] = Shown(wanted.line, wanted.column - len(start), str(item.insert_text))
        return answer

    async def open(self, documents: Documents, uri: str) -> None:
        """Have a document read that was opened, as soon as an engine is ready. Where its cursor stands is not known."""
        document = documents.find(types.OptionalVersionedTextDocumentIdentifier(uri))
        if document is not None:
            snapshot = documents.in_context(document.snapshot(Position(0, 0)))
            await self._latest.run(uri, self._read_ahead(snapshot, is_opened=True))

    async def change(self, documents: Documents, uri: str) -> None:
        """Have the place read behind what was suggested in a document, if a change has accepted it."""
        document = documents.find(types.OptionalVersionedTextDocumentIdentifier(uri))
        if document is None or uri not in self._shown:
            return
        if (end := self._shown[uri].end_in(document)) is not None:
            del self._shown[uri]
            snapshot = documents.in_context(document.snapshot(document.position(*end)))
            await self._latest.run(uri, self._read_ahead(snapshot))

    async def _read_ahead(self, snapshot: Snapshot, *, is_opened: bool = False) -> None:
        if (
            not await self._backend.wait_ready(WAIT_SECONDS)
            or await self._backend.refusal(snapshot) is not None
        ):
            return
        autocomplete = self._backend.autocomplete(snapshot.language)
        if autocomplete is not None:
            (autocomplete.read_opened if is_opened else autocomplete.read_ahead)(snapshot)

    async def _complete(
        self, snapshot: Snapshot, range: types.Range, start: str, *, is_invoked: bool
    ) -> Answer:
        if not self._backend.was_ready and not (self.waits and await self._backend.wait_ready(WAIT_SECONDS)):
            return None
        here = self._backend.refusal_here(snapshot, is_invoked=is_invoked)
        if here is not None or await self._backend.refusal(snapshot) is not None:
            return types.InlineCompletionList([])
        autocomplete = self._backend.autocomplete(snapshot.language)
        return None if autocomplete is None else await suggest(autocomplete, snapshot, range, start)

    def forget(self, uri: str) -> None:
        """Stop working on a document."""
        self._latest.cancel(uri)
        self._shown.pop(uri, None)


class Shown(NamedTuple):
    """What was suggested last in a document, and the line and code-point column where it begins."""

    line: int
    column: int
    text: str

    def end_in(self, document: Document) -> tuple[int, int] | None:
        """Return the line and column behind the text, None where the document does not hold it."""
        lines = split_lines(self.text)
        there = "".join(document.lines[self.line : self.line + len(lines)])
        if not there.startswith(self.text, self.column):
            return None
        first = self.column if len(lines) == 1 else 0
        return self.line + len(lines) - 1, first + len(lines[-1])


async def suggest(
    autocomplete: Autocomplete, snapshot: Snapshot, range: types.Range, start: str
) -> types.InlineCompletionList:
    """Return the suggestion for a snapshot, behind `start`, in place of a range; an empty list for none.

    Its lines end as the document's do.
    """
    suggestion = await autocomplete.suggest(snapshot)
    if suggestion is None:
        return types.InlineCompletionList([])
    text = start + suggestion.text.replace("\n", snapshot.line_end)
    return types.InlineCompletionList([types.InlineCompletionItem(text, range=range)])


def accept(document: Document, snapshot: Snapshot, selected: types.SelectedCompletionInfo) -> Snapshot | None:
    """Return the snapshot as if the menu's selected text were accepted, so that a suggestion extends it.

    None for a selection that no ghost text can extend: one that does not end at the cursor, spans lines, or
    does not begin with what it replaces (VS Code hides such items).
    """
    line, start = document.place(position(selected.range.start))
    if line != snapshot.line or document.place(position(selected.range.end)) != (line, snapshot.column):
        return None
    text = snapshot.lines[line]
    replaced = text[start : snapshot.column]
    if len(split_lines(selected.text)) > 1 or not selected.text.startswith(replaced):
        return None
    lines = list(snapshot.lines)
    lines[line] = text[:start] + selected.text + text[snapshot.column :]
    return replace(snapshot, lines=tuple(lines), column=start + len(selected.text))


def place(document: Document, line: int, column: int) -> types.Position:
    """Return the client's position of a code-point column."""
    found = document.position(line, column)
    return types.Position(found.line, found.character)
