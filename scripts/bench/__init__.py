"""Benchmarks and checks for those who work on dllm-lsp: how fast, next to what, and whether a GPU agrees."""
