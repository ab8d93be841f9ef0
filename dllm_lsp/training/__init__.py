"""How the bundled model is made: corpus, tokenizer, noise, trainer, export."""
