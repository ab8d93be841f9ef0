"""The bundled architecture: causal streams of context, and a canvas that sees all of them."""
