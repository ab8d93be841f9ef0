"""Models in folders: configuration, tokenizer and weights, read as data."""
