"""The messages of the Language Server Protocol that this server reads and writes, as far as it uses them.

Source: the specification, version 3.18. Fields that are not named here are ignored when read.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from dllm_lsp.text.document import Position


class Range(Struct):
    """From `start` up to `end`."""

    start: Position
    end: Position


class GeneralCapabilities(Struct, rename="camel"):
    """What a client says of itself as a whole; encodings in the order of its preference."""

    position_encodings: list[str] | None = None


class WindowCapabilities(Struct, rename="camel"):
    """What a client's windows can show."""

    work_done_progress: bool | None = None


class ClientCapabilities(Struct):
    """What a client can do."""

    general: GeneralCapabilities | None = None
    window: WindowCapabilities | None = None


class InitializeParams(Struct, rename="camel"):
    """Of `initialize`."""

    capabilities: ClientCapabilities = field(default_factory=ClientCapabilities)
    process_id: int | None = None
    initialization_options: Any = None


class DocumentItem(Struct, rename="camel"):
    """A document that is opened."""

    uri: str
    text: str
    language_id: str = ""
    version: int | None = None


class DidOpenParams(Struct, rename="camel"):
    """Of `textDocument/didOpen`."""

    text_document: DocumentItem


class DocumentVersion(Struct):
    """A document, and the version that is meant; Copilot's clients name one in requests too."""

    uri: str
    version: int | None = None


class Change(Struct):
    """New text for a range of a document, or for all of it."""

    text: str
    range: Range | None = None


class DidChangeParams(Struct, rename="camel"):
    """Of `textDocument/didChange`; changes apply one after the other."""

    text_document: DocumentVersion
    content_changes: list[Change]


class DidCloseParams(Struct, rename="camel"):
    """Of `textDocument/didClose`."""

    text_document: DocumentVersion


class SelectedCompletion(Struct):
    """What the client's completion menu would put in place of `range`."""

    range: Range
    text: str


class InlineCompletionContext(Struct, rename="camel"):
    """How an inline completion was asked for."""

    selected_completion_info: SelectedCompletion | None = None


class InlineCompletionParams(Struct, rename="camel"):
    """Of `textDocument/inlineCompletion`."""

    text_document: DocumentVersion
    position: Position
    context: InlineCompletionContext = field(default_factory=InlineCompletionContext)


class InlineCompletionItem(Struct, rename="camel"):
    """Text to insert in place of a range that lies in one line and ends at the cursor."""

    insert_text: str
    range: Range


class InlineCompletionList(Struct):
    """The answer to `textDocument/inlineCompletion`."""

    items: list[InlineCompletionItem]


class DidChangeConfigurationParams(Struct):
    """Of `workspace/didChangeConfiguration`."""

    settings: Any = None


class ExecuteCommandParams(Struct):
    """Of `workspace/executeCommand`."""

    command: str
