"""How good the suggestions are, and how fast: infilling on code never trained on, and latency."""
