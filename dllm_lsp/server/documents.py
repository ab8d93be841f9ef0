"""The documents that the client has open, kept as it changes them. Knows no completion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lsprotocol import types
from pygls.workspace import Workspace

from dllm_lsp.project.opened import Opened
from dllm_lsp.text.document import Document, Position
from dllm_lsp.text.positions import Encoding
from dllm_lsp.text.snapshot import Snapshot

_CELL_MAGIC = "%%"


class Documents(Workspace):
    """Open documents by URI.

    In place of pygls's own, which split lines at form feeds too, and so apply edits in the wrong place, and
    which read files.
    """

    def __init__(self, encoding: Encoding, folders: Sequence[types.WorkspaceFolder] = ()) -> None:
        super().__init__(None, workspace_folders=folders, position_encoding=encoding)
        self._encoding = encoding
        self._open: dict[str, Document] = {}
        self._current = ""

    def put_text_document(
        self, text_document: types.TextDocumentItem, notebook_uri: str | None = None
    ) -> None:
        """Keep a document that the client has opened."""
        item = text_document
        language = str(item.language_id)
        self._current = item.uri
        self._open[item.uri] = Document(item.uri, language, item.version, item.text, self._encoding)

    def update_text_document(
        self,
        text_doc: types.VersionedTextDocumentIdentifier,
        change: types.TextDocumentContentChangeEvent,
    ) -> None:
        """Apply one change of the client's."""
        document = self._open.get(text_doc.uri)
        if document is None:
            return
        if isinstance(change, types.TextDocumentContentChangePartial):
            document.replace(position(change.range.start), position(change.range.end), change.text)
        else:
            document.replace_all(change.text)
        document.version = text_doc.version
        self._current = text_doc.uri

    def remove_text_document(self, doc_uri: str) -> None:
        """Forget a document."""
        self._open.pop(doc_uri, None)

    def update_notebook_document(self, params: types.DidChangeNotebookDocumentParams) -> None:
        """Apply a change of a notebook's cells and of their texts."""
        if self.get_notebook_document(notebook_uri=params.notebook_document.uri) is not None:
            super().update_notebook_document(params)

    def remove_notebook_document(self, params: types.DidCloseNotebookDocumentParams) -> None:
        """Forget a notebook and all of its cells."""
        self.forget_notebook(params.notebook_document.uri)

    def forget_notebook(self, uri: str) -> None:
        """Forget a notebook and all of its cells."""
        notebook = self.get_notebook_document(notebook_uri=uri)
        if notebook is not None:
            cells = [types.TextDocumentIdentifier(cell.document) for cell in notebook.cells]
            closed = types.DidCloseNotebookDocumentParams(types.NotebookDocumentIdentifier(uri), cells)
            super().remove_notebook_document(closed)

    def in_context(self, snapshot: Snapshot) -> Snapshot:
        """Return a cell's snapshot with the notebook's other cells of its language around it; others as they are.

        Cells that IPython hands to something else are left out.
        """
        notebook = self._notebook_of(snapshot.uri)
        if notebook is None:
            return snapshot
        above: list[str] = []
        lines: list[str] = []
        for cell in notebook.cells:
            if cell.document == snapshot.uri:
                above, lines = lines, []
                continue
            document = self._open.get(cell.document)
            if document is None or document.language != snapshot.language:
                continue
            if not document.lines[0].startswith(_CELL_MAGIC):
                lines += _ended(document.lines)
        own = _ended(snapshot.lines) if lines else snapshot.lines
        return replace(
            snapshot, uri=notebook.uri, lines=(*above, *own, *lines), line=len(above) + snapshot.line
        )

    def _notebook_of(self, cell: str) -> types.NotebookDocument | None:
        notebooks = self.notebook_documents.values()
        return next((each for each in notebooks if any(cell == one.document for one in each.cells)), None)

    def opened(self) -> Opened:
        """Return what the client has open now."""
        folders = [folder.uri for folder in self.folders.values()]
        return Opened(folders, {uri: document.lines for uri, document in self._open.items()})

    def find(self, wanted: types.OptionalVersionedTextDocumentIdentifier) -> Document | None:
        """Return the open document; None when it is unknown, or another version than the wanted one."""
        document = self._open.get(wanted.uri)
        if document is None or wanted.version not in (None, document.version):
            return None
        self._current = wanted.uri
        return document

    @property
    def current(self) -> Document | None:
        """The document that the client opened, changed or asked about last, if it is still open."""
        return self._open.get(self._current)


def _ended(lines: Sequence[str]) -> tuple[str, ...]:
    """Return a cell's lines, the last with a line end, too: the next cell begins a line."""
    *others, last = lines
    return (*others, f"{last}\n") if last else tuple(others)


def position(place: types.Position) -> Position:
    """Return the client's position as documents understand it."""
    return Position(place.line, place.character)
