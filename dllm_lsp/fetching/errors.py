"""What goes wrong when a model is fetched; every message is for the user."""


class FetchError(Exception):
    """A model cannot be had; the message says what happened, where, and what to do."""


class GgufError(FetchError):
    """A file is no GGUF of a model that can be read; the message says which file, and what is wrong with it."""
