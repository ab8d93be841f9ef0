"""What one request may cost, and how much of an answer it asks for."""

from __future__ import annotations

from msgspec import Struct

from dllm_lsp.infill.extent import Extent
from dllm_lsp.settings import Effort


class Limits(Struct, frozen=True, kw_only=True):
    """What one request may cost: effort, canvas size in tokens, network passes, wall-clock milliseconds.

    With `exact` the canvas keeps its size: as many tokens are written as it has. `extent` says how much of an answer is
    asked for. The engine stops early, with masks left, when that much is written, and also when its probability has
    fallen below `confidence`, since it never rises again.
    """

    effort: Effort = "medium"
    tokens: int = 32
    exact: bool = False
    extent: Extent = "all"
    confidence: float = 0.0
    passes: int = 64
    milliseconds: float = 200.0
