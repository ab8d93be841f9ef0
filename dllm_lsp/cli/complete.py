"""`dllm-lsp complete`: the suggestion at a place in a file, by the same way as an editor gets it."""

from __future__ import annotations

import asyncio
import sys

from msgspec import json

from dllm_lsp.autocomplete import Autocomplete
from dllm_lsp.cli.location import Location, LocationError
from dllm_lsp.context.admission import refusal
from dllm_lsp.settings import Settings
from dllm_lsp.suggest.suggestion import Suggestion
from dllm_lsp.text.snapshot import Snapshot
from dllm_lsp.worker.client import EngineClient
from dllm_lsp.worker.messages import Draft, Status

READY_SECONDS = 120.0


def complete(location: Location, settings: Settings, *, as_json: bool, trace: bool) -> int:
    """Print the suggestion and return the exit status: 0 even when there is nothing to suggest."""
    try:
        snapshot = location.snapshot()
    except LocationError as error:
        print(f"dllm-lsp: {error}", file=sys.stderr)
        return 1
    if (reason := refusal(snapshot)) is not None:
        print(f"dllm-lsp: nothing is suggested in {location.file}: {reason}", file=sys.stderr)
    drafts: list[Draft] = []
    status, suggestion = asyncio.run(_ask(snapshot, settings, drafts))
    if status.state != "ready":
        detail = status.detail or f"it was not ready within {READY_SECONDS:.0f} s"
        print(f"dllm-lsp: the engine cannot be used: {detail}", file=sys.stderr)
        return 1
    if trace:
        from dllm_lsp.cli.trace import print_trace  # noqa: PLC0415

        print_trace(snapshot, drafts, suggestion)
    elif as_json:
        print(json.encode(_figures(suggestion)).decode())
    elif suggestion is not None:
        print(suggestion.text)
    else:
        print("dllm-lsp: nothing to suggest here", file=sys.stderr)
    return 0


async def _ask(
    snapshot: Snapshot, settings: Settings, drafts: list[Draft]
) -> tuple[Status, Suggestion | None]:
    client = EngineClient(settings, lambda status: None, lambda notice: None)
    await client.start()
    try:
        status = await client.wait_ready(READY_SECONDS)
        return status, await Autocomplete(client, settings.suggest).suggest(snapshot, drafts.append)
    finally:
        await client.close()


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
