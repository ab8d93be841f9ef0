"""The process boundary, known on both of its sides: what is said, how it travels, and what goes wrong."""
