"""From JSON to lsprotocol's types, where lsprotocol is stricter or laxer than editors and this server are.

Knows the shape of messages, not what becomes of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from cattrs import Converter
from lsprotocol import types
from pygls.protocol import default_converter

from dllm_lsp.project.files import path_of

REFRESH = "workspace/inlineCompletion/refresh"
"""Asks a client to ask again. It is in no version of the protocol yet; clients may declare it as they do others."""

MAX_UINTEGER = 2**31 - 1  # of the protocol


@dataclass(frozen=True, slots=True)
class InlineCompletionParams:
    """Of `textDocument/inlineCompletion`: what the server reads of it.

    lsprotocol's own class has no version of the document, which Copilot's clients name.
    """

    text_document: types.OptionalVersionedTextDocumentIdentifier
    position: types.Position
    selected: types.SelectedCompletionInfo | None
    is_invoked: bool = False
    """Whether a person asked, and not the editor by itself."""


@cache
def converter() -> Converter:
    """Return the one converter of this process, since making it takes a while."""
    converter: Converter = default_converter()
    structure = converter.structure

    def initialize_params(data: Any, _: type) -> types.InitializeParams:
        capabilities, process = data["capabilities"], data.get("processId")
        return types.InitializeParams(
            types.ClientCapabilities(
                general=structure(capabilities.get("general") or {}, types.GeneralClientCapabilities),
                window=structure(capabilities.get("window") or {}, types.WindowClientCapabilities),
                notebook_document=_notebooks(capabilities),
                experimental={
                    REFRESH: _declares(capabilities, "workspace", "inlineCompletion", "refreshSupport")
                },
                workspace=types.WorkspaceClientCapabilities(
                    configuration=_declares(capabilities, "workspace", "configuration")
                ),
            ),
            process_id=None if process is None else int(process),
            workspace_folders=_opened_folders(data),
            initialization_options=data.get("initializationOptions"),
        )

    def inline_completion_params(data: Any, _: type) -> InlineCompletionParams:
        context = data.get("context") or {}
        selected = context.get("selectedCompletionInfo")
        return InlineCompletionParams(
            structure(data["textDocument"], types.OptionalVersionedTextDocumentIdentifier),
            structure(data["position"], types.Position),
            None if selected is None else structure(selected, types.SelectedCompletionInfo),
            context.get("triggerKind") == types.InlineCompletionTriggerKind.Invoked,
        )

    # Only what is used: the hundreds of other capabilities take 50 ms to read, and a client that is newer than
    # lsprotocol may name some that it refuses.
    converter.register_structure_hook(types.InitializeParams, initialize_params)
    converter.register_structure_hook(types.InlineCompletionParams, inline_completion_params)
    converter.register_structure_hook(types.Position, _position)
    converter.register_structure_hook(str, _text)
    return converter


def _notebooks(capabilities: Any) -> types.NotebookDocumentClientCapabilities | None:
    """Return that a client sends the cells of notebooks, if it does."""
    sync = types.NotebookDocumentSyncClientCapabilities()
    is_there = isinstance(capabilities.get("notebookDocument"), dict)
    return types.NotebookDocumentClientCapabilities(sync) if is_there else None


def _opened_folders(data: Any) -> list[types.WorkspaceFolder]:
    """Return the folders of this machine that a client has opened."""
    folders = data.get("workspaceFolders") or [{"uri": data.get("rootUri")}]
    uris = [folder["uri"] for folder in folders if isinstance(folder["uri"], str)]
    return [types.WorkspaceFolder(uri, uri) for uri in uris if path_of(uri)]


def _declares(capabilities: Any, *path: str) -> bool:
    """Whether capabilities, which may be of any shape, say that a client can do something."""
    for name in path:
        capabilities = capabilities.get(name) if isinstance(capabilities, dict) else None
    return capabilities is True


def _position(data: Any, _: type) -> types.Position:
    """Return the position, moved to the nearest that the protocol allows."""
    line, character = (min(max(int(data[name]), 0), MAX_UINTEGER) for name in ("line", "character"))
    return types.Position(line, character)


def _text(data: Any, _: type) -> str:
    r"""Return the string with each lone half of a surrogate pair, such as "\ud83d", replaced.

    An editor sends one where it cut a character in two. U+FFFD is as long in UTF-16, so columns stay right.
    """
    if not isinstance(data, str):
        raise TypeError(f"a string was expected, not {type(data).__name__}")
    if data.isascii():
        return data
    return data.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
