"""Which engine serves some settings: the only place that constructs one."""

from __future__ import annotations

from collections.abc import Callable

from dllm_lsp.assist.engine import Engine
from dllm_lsp.client.client import EngineClient
from dllm_lsp.settings import Settings
from dllm_lsp.wire.messages import Status


def engine_for(
    settings: Settings,
    on_status: Callable[[Status], None],
    on_notice: Callable[[str], None],
    adapter: str | None = None,
) -> Engine:
    """Return the engine of these settings, not started yet.

    `on_status` hears every change of its status, `on_notice` what a user should read. `adapter` is the fingerprint of
    one that was fine-tuned, None the model's own.
    """
    return EngineClient(settings, on_status, on_notice, adapter=adapter)
