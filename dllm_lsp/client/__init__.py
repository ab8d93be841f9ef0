"""The editor's side of the process boundary: finds or starts the engine's process, and asks it."""
