"""The documents that the client has open, kept as it changes them. Knows no completion."""

from __future__ import annotations

from dllm_lsp.server.protocol import DidChangeParams, DidCloseParams, DidOpenParams, DocumentVersion
from dllm_lsp.text.document import Document
from dllm_lsp.text.positions import Encoding


class Documents:
    """Open documents by URI. `encoding` holds for those opened from now on."""

    def __init__(self) -> None:
        self.encoding = Encoding.UTF16
        self._open: dict[str, Document] = {}

    def open(self, params: DidOpenParams) -> None:
        """Keep a document that the client has opened."""
        item = params.text_document
        self._open[item.uri] = Document(item.uri, item.language_id, item.version, item.text, self.encoding)

    def change(self, params: DidChangeParams) -> None:
        """Apply the client's changes, each to the result of the one before."""
        document = self._open.get(params.text_document.uri)
        if document is None:
            return
        for change in params.content_changes:
            if change.range is None:
                document.replace_all(change.text)
            else:
                document.replace(change.range.start, change.range.end, change.text)
        document.version = params.text_document.version

    def close(self, params: DidCloseParams) -> None:
        """Forget a document."""
        self._open.pop(params.text_document.uri, None)

    def find(self, wanted: DocumentVersion) -> Document | None:
        """Return the open document; None when it is unknown, or another version than the wanted one."""
        document = self._open.get(wanted.uri)
        if document is None or wanted.version not in (None, document.version):
            return None
        return document
