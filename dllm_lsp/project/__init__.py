"""A project's files on disk: which of them may be looked at, and their texts."""
