"""What goes wrong with a model; every message is for the user."""

from collections.abc import Iterable


class CheckpointError(Exception):
    """A folder holds no model that can be loaded; the message says what is wrong with which file."""


class CapabilityError(ValueError):
    """A model is of an architecture that cannot do what was asked for; `able` are those that can."""

    def __init__(self, cannot: str, architecture: str, able: Iterable[str]) -> None:
        others = " or ".join(f'"{name}"' for name in able)
        super().__init__(
            f'this model cannot {cannot}: its architecture is "{architecture}", and only {others} can'
        )
