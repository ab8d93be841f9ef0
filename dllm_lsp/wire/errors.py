"""What goes wrong on the way to the engine's process; every message is for the user.

EngineError
├── ModelError    the model's name cannot be a path
├── PlaceError    no private folder for the engine's socket
├── StartError    the engine's process did not come up
└── LoadError     it did, but cannot load its model
"""


class EngineError(Exception):
    """The engine's process cannot be reached, or has no engine."""


class ModelError(EngineError):
    """The settings name a model that cannot be looked for."""


class PlaceError(EngineError):
    """No folder that only the user can open was found for the engine's socket."""


class StartError(EngineError):
    """The engine's process ended, or stayed deaf, before it could be connected to."""


class LoadError(EngineError):
    """The engine's process runs, but cannot load its model; trying again would not help."""
