"""A server that applies changes as one does, and suggests what the test wants."""

from __future__ import annotations

from collections.abc import Callable

from dllm_lsp.text.document import Document, Position
from dllm_lsp.text.positions import Encoding
from dllm_lsp.text.snapshot import Snapshot


class SuggestingServer:
    """Suggests `text(snapshot)`, "" for nothing; remembers the documents that were opened and not closed."""

    def __init__(self, text: Callable[[Snapshot], str]) -> None:
        self._text = text
        self.documents: dict[str, Document] = {}
        self.asked = 0

    def notify(self, method: str, params: dict) -> None:
        if method == "textDocument/didOpen":
            item = params["textDocument"]
            language, text = item["languageId"], item["text"]
            self.documents[item["uri"]] = Document(item["uri"], language, 0, text, Encoding.UTF32)
            return
        uri = params["textDocument"]["uri"]
        if method == "textDocument/didClose":
            del self.documents[uri]
            return
        for change in params["contentChanges"]:
            start, end = (Position(**change["range"][edge]) for edge in ("start", "end"))
            self.documents[uri].replace(start, end, change["text"])

    async def request(self, method: str, params: dict) -> dict | None:
        self.asked += 1
        snapshot = self.documents[params["textDocument"]["uri"]].snapshot(Position(**params["position"]))
        text = self._text(snapshot)
        return {"items": [{"insertText": text}]} if text else None
