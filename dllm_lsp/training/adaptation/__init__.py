"""Turns a pretrained causal base into an infiller: trains an adapter that works on canvas rows only."""
