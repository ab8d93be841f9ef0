"""Which engine a client wants: equal identities share one process.

Knows where weights lie and what they look like from outside; never opens them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import dllm_lsp
from dllm_lsp.settings import Settings
from dllm_lsp.worker import messages
from dllm_lsp.worker.errors import ModelError

BUNDLED = Path(dllm_lsp.__file__).parent / "models" / "bundled"


def weights(model: str) -> Path:
    """Return the resolved folder of a model as the settings name it; it may not exist.

    Raises ModelError for a name that cannot be a path.
    """
    if model == "bundled":
        return BUNDLED
    try:
        return Path(model).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # no such home, a loop of links, a zero byte
        raise ModelError(f'The setting "model" is {model!r}, which is no path: {error}') from error


def identity(settings: Settings) -> str:
    """Return 16 hexadecimal digits that change with package, messages, weights, device and threads.

    Raises ModelError as `weights` does.
    """
    folder = weights(settings.model)
    facts = [
        dllm_lsp.__version__,
        messages.VERSION,
        str(folder),
        _fingerprint(folder),
        settings.engine.device,
        settings.engine.threads,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _fingerprint(folder: Path) -> list[tuple[str, int, int]]:
    """Return name, size and modification time of every file; empty for a folder that cannot be read."""
    try:
        stats = [(file.name, file.stat()) for file in sorted(folder.iterdir())]
    except OSError:
        return []  # the engine will say what is wrong with it
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
