"""The language server: translates LSP, and does nothing else."""

from dllm_lsp.server.transport import run

__all__ = ["run"]
