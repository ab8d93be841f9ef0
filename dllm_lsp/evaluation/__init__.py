"""Infilling scores on held-out code."""
