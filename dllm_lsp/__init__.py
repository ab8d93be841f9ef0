"""A language server that writes code into the middle of code, with a diffusion language model."""

__version__ = "0.1.0"
