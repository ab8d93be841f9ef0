"""What goes wrong with a model on disk; every message is for the user."""


class CheckpointError(Exception):
    """A folder holds no model that can be loaded; the message says what is wrong with which file."""
