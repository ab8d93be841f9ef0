"""What the server answers, one function for each method and command. pygls hands each the session as `ls`."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from lsprotocol import types

from dllm_lsp.project.settings_file import FILES
from dllm_lsp.server.completion import Answer
from dllm_lsp.server.converter import REFRESH, InlineCompletionParams
from dllm_lsp.server.session import Session
from dllm_lsp.settings import SECTION, Settings
from dllm_lsp.settings_reader import is_foreign
from dllm_lsp.text.document import Position

ALL_FILES = types.FileOperationRegistrationOptions(
    [types.FileOperationFilter(types.FileOperationPattern("**"), scheme="file")]
)
"""Which files and folders a client tells of when they are renamed or deleted: all."""

SETTINGS_GRACE = 0.1  # seconds in which a client sends its settings behind `initialized`
ANSWER_SECONDS = 1.0  # in which one that can be asked for them answers


def new_session(settings: Settings) -> Session:
    """Return a session that answers all that the server knows."""
    session = Session(settings)
    session.feature(types.INITIALIZE)(initialize)
    session.feature(types.INITIALIZED)(initialized)
    session.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(did_change_configuration)
    session.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    session.feature(types.TEXT_DOCUMENT_DID_CHANGE)(did_change)
    session.feature(types.TEXT_DOCUMENT_DID_SAVE)(did_save)
    session.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)
    session.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)(did_close_notebook)
    session.feature(types.WORKSPACE_DID_RENAME_FILES, ALL_FILES)(did_rename_files)
    session.feature(types.WORKSPACE_DID_DELETE_FILES, ALL_FILES)(did_delete_files)
    session.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())(inline_completion)
    session.command("dllm.status")(status)
    session.command("dllm.restart")(restart)
    session.command("dllm.pause")(pause)
    session.command("dllm.resume")(resume)
    return session


def initialize(ls: Session, params: types.InitializeParams) -> None:
    """Take the client's settings, what folders it has open, and what it can do."""
    window = params.capabilities.window
    if window is not None and window.work_done_progress:
        ls.show_progress()
    if params.capabilities.experimental == {REFRESH: True}:
        ls.refresh_when_ready()
    ls.open_folders(params.workspace_folders or ())
    ls.report(ls.configuration.begin(params.initialization_options))
    if params.capabilities.workspace is not None and params.capabilities.workspace.configuration:
        ls.ask_for_settings()


async def initialized(ls: Session, _: types.InitializedParams) -> None:
    """Start the engine, by what the client says of its settings until then."""
    pulled = ls.pull_settings()
    await asyncio.sleep(SETTINGS_GRACE)
    await asyncio.wait([pulled], timeout=ANSWER_SECONDS)
    await ls.start()
    await pulled


async def did_change_configuration(ls: Session, params: types.DidChangeConfigurationParams) -> None:
    """Take what the client says of its settings."""
    ls.report(ls.configuration.change(params.settings))
    if isinstance(params.settings, dict) and is_foreign(params.settings):
        ls.note(f"A change of settings names none of {SECTION}: {', '.join(params.settings)}")
    await ls.follow_settings()
    await ls.pull_settings()


async def did_open(ls: Session, params: types.DidOpenTextDocumentParams) -> None:
    """Have a document read that pygls has opened."""
    await ls.completion.open(ls.protocol.workspace, params.text_document.uri)


async def did_change(ls: Session, params: types.DidChangeTextDocumentParams) -> None:
    """Have the place read behind a suggestion that was accepted; pygls has applied the change."""
    await ls.completion.change(ls.protocol.workspace, params.text_document.uri)


async def did_save(ls: Session, params: types.DidSaveTextDocumentParams) -> None:
    """Look at files anew, and at the project's settings if they were saved."""
    ls.backend.outdate_files()
    if params.text_document.uri.endswith(FILES):
        await ls.follow_settings()


def did_close(ls: Session, params: types.DidCloseTextDocumentParams) -> None:
    """Stop working on a document that pygls has closed."""
    ls.completion.forget(params.text_document.uri)
    ls.backend.forget(params.text_document.uri)


def did_close_notebook(ls: Session, params: types.DidCloseNotebookDocumentParams) -> None:
    """Stop working on a notebook that pygls has closed."""
    for cell in params.cell_text_documents:
        ls.completion.forget(cell.uri)
    ls.backend.forget(params.notebook_document.uri)


def did_rename_files(ls: Session, _: types.RenameFilesParams) -> None:
    """Look at files anew."""
    ls.backend.outdate_files()


def did_delete_files(ls: Session, _: types.DeleteFilesParams) -> None:
    """Look at files anew."""
    ls.backend.outdate_files()


async def inline_completion(ls: Session, params: InlineCompletionParams) -> Answer:
    """Suggest what to write at a position."""
    return await ls.completion.answer(ls.protocol.workspace, params)


async def status(ls: Session, *_: Any) -> Any:
    """Return how the engine is; when it is ready and the current document is left alone, "inactive", and why."""
    status, document = msgspec.to_builtins(ls.backend.status), ls.protocol.workspace.current
    if status["state"] == "ready" and document is not None:
        snapshot = ls.protocol.workspace.in_context(document.snapshot(Position(0, 0)))
        reason = await ls.backend.refusal(snapshot)
        return status if reason is None else status | {"state": "inactive", "detail": reason}
    return status


def pause(ls: Session, *_: Any) -> None:
    """Suggest nothing until `dllm.resume`."""
    ls.backend.pause()


def resume(ls: Session, *_: Any) -> None:
    """Suggest again."""
    ls.backend.resume()


async def restart(ls: Session, *_: Any) -> None:
    """End the engine and start it again."""
    await ls.backend.restart()
