"""One tree of options, the same from flags, environment, editor and files."""

from __future__ import annotations

from msgspec import Struct


class EngineSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """How the engine's process runs. `threads` 0 means one per physical core; times are in seconds."""

    device: str = "auto"
    threads: int = 0
    linger: float = 60.0
    silence: float = 30.0


class SuggestSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What is shown. A suggestion below `confidence` (0 to 1) stays hidden; `milliseconds` bounds the engine."""

    enabled: bool = True
    confidence: float = 0.3
    milliseconds: float = 200.0


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Everything a user can set. `model` is "bundled" or a folder with a checkpoint."""

    model: str = "bundled"
    engine: EngineSettings = EngineSettings()
    suggest: SuggestSettings = SuggestSettings()
