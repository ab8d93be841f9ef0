"""What ends a command with exit status 1; every message is for the user."""


class CommandError(Exception):
    """A command failed; the message says what happened and what to do."""


class LocationError(CommandError):
    """A file cannot be read as text, or has no such place."""
