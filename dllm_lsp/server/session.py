"""One client's session: its documents, settings and engine, and how these are shown. Knows no method's parameters."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInternalError

from dllm_lsp import __version__
from dllm_lsp.project.files import path_of
from dllm_lsp.project.opened import Opened
from dllm_lsp.server.backend import Backend
from dllm_lsp.server.completion import InlineCompletion
from dllm_lsp.server.configuration import Configuration
from dllm_lsp.server.converter import REFRESH, converter
from dllm_lsp.server.frames import MessageReader, MessageWriter
from dllm_lsp.server.internals import OpenServer
from dllm_lsp.server.progress import LoadingProgress
from dllm_lsp.server.protocol import Protocol
from dllm_lsp.settings import SECTION, Settings
from dllm_lsp.settings_reader import Problem
from dllm_lsp.wire.messages import Status

if TYPE_CHECKING:
    from dllm_lsp.client.tuned import Choice


_NOTEBOOKS = types.NotebookDocumentSyncOptions(
    [types.NotebookDocumentFilterWithNotebook("*", [types.NotebookCellLanguage("*")])]
)

_log = logging.getLogger(__name__)


class Session(OpenServer):
    """What one client sees. `settings` are those of the command line; the client's come on top."""

    protocol: Protocol

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            SECTION,
            __version__,
            protocol_cls=Protocol,
            converter_factory=converter,
            notebook_document_sync=_NOTEBOOKS,
        )
        self.backend = Backend(self._take_status, self._warn, self._opened)
        self.completion = InlineCompletion(self.backend)
        self._progress: LoadingProgress | None = None
        self.configuration = Configuration(settings)
        self._folder: Path | None = None
        self._told: list[str] = []  # of the project's settings
        self._started = self._asks = self._refreshes = self._is_ready = False
        self._reading: asyncio.Task[None] | None = None

    async def serve(self, stream: asyncio.StreamReader, write: Callable[[bytes], Any]) -> int:
        """Serve until the client leaves; return 0 if it said so before, else 1, as the protocol wants."""
        self.protocol.set_writer(MessageWriter(write, self.shutdown), include_headers=False)
        reader, refuse = MessageReader(stream), self.protocol.refuse
        self._reading = asyncio.create_task(self.read(reader, refuse))
        try:
            await asyncio.wait([self._reading])
        finally:
            self.shutdown()
            self.protocol.cancel_all()
            if self._progress is not None:
                self._progress.close()
            await self.backend.close()
        return 0 if self.protocol.was_shut_down else 1

    def shutdown(self) -> None:
        """Read no further, whether or not the client knows."""
        self._started = False
        super().shutdown()  # type: ignore[no-untyped-call]
        if self._reading is not None:
            self._reading.cancel()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log a defect of ours; a mistake of the client's has been answered."""
        if isinstance(error, JsonRpcInternalError) or not isinstance(error, JsonRpcException):
            _log.exception("a message was not handled: %s", error)

    def show_progress(self) -> None:
        """Show from now on that the engine loads."""
        self._progress = LoadingProgress(self.work_done_progress)

    def refresh_when_ready(self) -> None:
        """Have the client ask again whenever the engine has become ready; then no request waits for it."""
        self._refreshes, self.completion.waits = True, False

    def open_folders(self, folders: Sequence[types.WorkspaceFolder]) -> None:
        """Serve the code in these folders of this machine, with the model of the first."""
        self._folder = path_of(folders[0].uri) if folders else None

    def report(self, problems: Sequence[Problem]) -> None:
        """Tell the user what is wrong with the settings."""
        for problem in problems:
            self._warn(str(problem))

    def ask_for_settings(self) -> None:
        """Ask the client for its settings from now on."""
        self._asks = True

    def pull_settings(self) -> asyncio.Task[None]:
        """Ask the client for its settings, if it can be asked, and follow its answer."""
        return asyncio.create_task(self._pull_settings())

    async def _pull_settings(self) -> None:
        if not self._asks:
            return
        scope = None if self._folder is None else self._folder.as_uri()
        item = types.ConfigurationItem(scope_uri=scope, section=SECTION)
        try:
            answer = await self.workspace_configuration_async(types.ConfigurationParams([item]))
        except JsonRpcException as error:
            _log.warning("the client does not tell its settings: %s", error)
            return
        known = self.configuration.settings
        match answer:
            case [dict() as settings]:
                self.report(self.configuration.replace(settings))
        if self.configuration.settings != known:
            await self.follow_settings()

    async def start(self) -> None:
        """Start the engine that the settings ask for."""
        self._started = True
        await self._use_settings()

    async def follow_settings(self) -> None:
        """Serve by the settings, if it has begun."""
        if self._started:
            await self._use_settings()

    async def _use_settings(self) -> None:
        """Serve by the settings, with the model that was fine-tuned on what is open if there is one."""
        own = self.configuration.settings
        settings = await self._with_project(own)
        choice = await self._choose(settings)
        if self.configuration.settings is not own or not self._started:  # it took long; no longer wanted
            return
        if choice.is_stale:
            self._warn(choice.note)
        await self.backend.use(choice.settings, "" if choice.is_stale else choice.note, choice.adapter)

    async def _with_project(self, settings: Settings) -> Settings:
        """Return the settings with what the project's own file says of them."""
        if self._folder is None:
            return settings
        from dllm_lsp.project.background import in_background  # noqa: PLC0415
        from dllm_lsp.project.settings_file import with_project  # noqa: PLC0415

        read = in_background(partial(with_project, settings, self._folder))
        settings, problems = await asyncio.wrap_future(read)
        for problem in problems:
            if problem not in self._told:
                self._warn(problem)
        self._told = problems
        return settings

    async def _choose(self, settings: Settings) -> Choice:
        """Return what to serve by; where weights have to be read to tell, they are read in the background."""
        from dllm_lsp.client.tuned import Choice, choose  # noqa: PLC0415

        if self._folder is None:
            return Choice(settings)
        choice = choose(settings, self._folder)
        if choice.is_undecided:
            from dllm_lsp.fingerprints import fingerprint  # noqa: PLC0415
            from dllm_lsp.project.background import in_background  # noqa: PLC0415

            read = in_background(partial(choose, settings, self._folder, fingerprint))
            choice = await asyncio.wrap_future(read)
        return choice

    def _opened(self) -> Opened:
        return self.protocol.workspace.opened()

    def _take_status(self, status: Status) -> None:
        if self._progress is not None:
            self._progress.update(status)
        was_ready, self._is_ready = self._is_ready, status.state == "ready"
        if self._refreshes and self._is_ready and not was_ready:
            self.protocol.send_request(REFRESH)

    def note(self, message: str) -> None:
        """Write a message into the client's log, which nobody has to read."""
        self.window_log_message(types.LogMessageParams(types.MessageType.Info, message))

    def _warn(self, message: str) -> None:
        self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, message))
