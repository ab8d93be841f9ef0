"""What a parser says about code: syntax errors that a suggestion brings in. Pure."""
