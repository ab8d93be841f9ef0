"""The command line: says what a user asked for to the rooms that do it."""

from dllm_lsp.cli.main import main

__all__ = ["main"]
