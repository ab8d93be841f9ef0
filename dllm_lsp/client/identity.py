"""Which engine a client wants: equal identities share one process.

Knows where weights lie and what they look like from outside; never opens them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import dllm_lsp
from dllm_lsp import hub
from dllm_lsp.settings import Settings
from dllm_lsp.wire import messages
from dllm_lsp.wire.errors import ModelError


def weights(model: str) -> Path:
    """Return the resolved folder of a model as the settings name it; it may not exist.

    Raises ModelError for a name that cannot be a path.
    """
    try:
        return hub.folder(model)
    except ValueError as error:
        raise ModelError(str(error)) from error


def name(model: str) -> str:
    """Return the one name of a model that settings may spell in several ways; raise ModelError as `weights` does."""
    model = hub.named(model)
    return model if model == "bundled" or hub.is_hub_id(model) else str(weights(model))


def identity(settings: Settings) -> str:
    """Return 16 hexadecimal digits that change with package, messages, weights, device, precision and threads.

    Raises ModelError as `weights` does.
    """
    # Of the hub, the name: what is downloaded while the engine loads must not make it another engine.
    is_here = not hub.is_hub_id(hub.named(settings.model))
    facts = [
        dllm_lsp.__version__,
        messages.VERSION,
        name(settings.model),
        _stamps(weights(settings.model)) if is_here else None,
        settings.engine.device,
        settings.engine.precision,
        settings.engine.threads,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _stamps(folder: Path) -> list[tuple[str, int, int]]:
    """Return name, size and modification time of every file; empty for a folder that cannot be read."""
    try:
        stats = [(file.name, file.stat()) for file in sorted(folder.iterdir())]
    except OSError:
        return []  # the engine will say what is wrong with it
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
