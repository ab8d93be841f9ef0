"""Diffusion: canvas, denoising loop, acceptance policies, context cache. Knows no editor."""
