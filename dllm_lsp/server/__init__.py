"""The language server: translates LSP, and does nothing else."""
