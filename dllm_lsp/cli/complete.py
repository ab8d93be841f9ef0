"""`dllm-lsp complete`: the suggestion at a place in a file, by the same way as an editor gets it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from msgspec import json, structs

from dllm_lsp.assist.autocomplete import Autocomplete
from dllm_lsp.assist.engines import engine_for
from dllm_lsp.assist.permission import Permission, unserved
from dllm_lsp.cli.errors import CommandError
from dllm_lsp.cli.location import Location
from dllm_lsp.client.tuned import choose
from dllm_lsp.fingerprints import fingerprint
from dllm_lsp.infill.pieces import Draft
from dllm_lsp.project.background import at_once
from dllm_lsp.project.exclusions import Exclusions
from dllm_lsp.project.files import path_of
from dllm_lsp.project.neighborhoods import Neighborhoods
from dllm_lsp.project.opened import Opened
from dllm_lsp.project.settings_file import with_project
from dllm_lsp.settings import Settings
from dllm_lsp.suggest.suggestion import Suggestion
from dllm_lsp.text.snapshot import Snapshot

READY_SECONDS = 120.0
LEISURE_MILLISECONDS = 60_000.0


def complete(location: Location, settings: Settings, *, as_json: bool, trace: bool) -> int:
    """Print the suggestion and return the exit status: 0 even when there is nothing to suggest.

    Raises CommandError when the place is none or the engine cannot be used.
    """
    snapshot = location.snapshot()
    settings = _at_leisure(_with_project(snapshot, settings))
    drafts: list[Draft] = []
    suggestion = None
    if (reason := asyncio.run(_refusal(snapshot, settings))) is None:
        choice = choose(settings, location.file.parent, fingerprint)
        suggestion, reason = asyncio.run(ask(snapshot, choice.settings, drafts.append, choice.adapter))
    if trace and drafts:
        from dllm_lsp.cli.trace import print_trace  # noqa: PLC0415

        print_trace(snapshot, drafts, suggestion)
    elif as_json:
        print(json.encode(_figures(suggestion)).decode())
    elif suggestion is not None:
        print(suggestion.text)
    if suggestion is None:
        print(f"dllm-lsp: nothing to suggest here{f': {reason}' if reason else ''}", file=sys.stderr)
    return 0


async def _refusal(snapshot: Snapshot, settings: Settings) -> str | None:
    """Return why an editor would be shown nothing in this document, whatever the model."""
    exclusions = Exclusions(lambda: _opened(snapshot, settings), at_once, ignored=settings.suggest.ignored)
    permission = Permission(settings, exclusions.look)
    return permission.refusal_here(snapshot, is_invoked=True) or await permission.refusal(snapshot, ())


def _with_project(snapshot: Snapshot, settings: Settings) -> Settings:
    """Return the settings with what the project's own file says; what is wrong with it is told."""
    folder = _folder(snapshot)
    settings, problems = with_project(settings, folder) if folder else (settings, [])
    for problem in problems:
        print(f"dllm-lsp: {problem}", file=sys.stderr)
    return settings


def _at_leisure(settings: Settings) -> Settings:
    """Return the settings without a limit on time where the user set none, so that a place has one answer."""
    milliseconds = settings.suggest.milliseconds or LEISURE_MILLISECONDS
    return structs.replace(settings, suggest=structs.replace(settings.suggest, milliseconds=milliseconds))


async def ask(
    snapshot: Snapshot,
    settings: Settings,
    on_draft: Callable[[Draft], None] | None = None,
    adapter: str | None = None,
) -> tuple[Suggestion | None, str | None]:
    """Return what an editor would be shown, and why the model does not serve the document's language, if so.

    `adapter` is the fingerprint of one that was fine-tuned. Raises CommandError when the engine cannot be used.
    """
    notices: list[str] = []
    engine = engine_for(settings, lambda status: None, notices.append, adapter)
    await engine.start()
    try:
        status = await engine.wait_ready(READY_SECONDS)
        if status.state != "ready":
            detail = status.detail or f"it was not ready within {READY_SECONDS:.0f} s"
            raise CommandError(f"the engine cannot be used: {detail}")
        if (reason := unserved(snapshot.language, status.languages, settings)) is not None:
            return None, reason
        neighborhoods = Neighborhoods(lambda: _opened(snapshot, settings), at_once)
        autocomplete = Autocomplete(engine, settings.suggest_in(snapshot.language), neighborhoods.related)
        suggestion = await autocomplete.suggest(snapshot, on_draft)
    finally:
        await engine.close()
    if notices and suggestion is None:
        raise CommandError(" ".join(notices))
    for notice in notices:
        print(f"dllm-lsp: {notice}", file=sys.stderr)
    return suggestion, None


def _opened(snapshot: Snapshot, settings: Settings) -> Opened:
    """Return what an editor would have open that was started here."""
    folder = _folder(snapshot)
    return Opened([folder.as_uri()] if folder else [], {}, settings.suggest.exclude)


def _folder(snapshot: Snapshot) -> Path | None:
    """Return this folder, if the document lies in it."""
    here, file = Path.cwd().resolve(), path_of(snapshot.uri)
    return here if file is not None and file.resolve().is_relative_to(here) else None


def _figures(suggestion: Suggestion | None) -> dict[str, object]:
    """Return what --json prints; all null when nothing is suggested."""
    infilled = suggestion.infilled if suggestion else None
    return {
        "text": suggestion.text if suggestion else None,
        "confidence": suggestion.confidence if suggestion else None,
        "tokens": len(infilled.pieces) if infilled else None,
        "steps": infilled.steps if infilled else None,
        "passes": infilled.passes if infilled else None,
        "milliseconds": infilled.milliseconds if infilled else None,
    }
