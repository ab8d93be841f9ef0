"""The network, its tokenizer and the weights that ship with the package."""
