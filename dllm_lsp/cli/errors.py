"""What ends a command with exit status 1; every message is for the user."""

from __future__ import annotations


class CommandError(Exception):
    """A command failed; the message says what happened and what to do."""


class LocationError(CommandError):
    """A file cannot be read as text, or has no such place."""


def in_words(error: CommandError | OSError) -> str:
    """Return what happened without the system's number for it: which file, and what is wrong with it."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
