"""The engine's side of the process boundary: the process that an engine lives in."""
