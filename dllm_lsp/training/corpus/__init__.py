"""The training corpus: what is gathered, what is refused, and the record of both.

Knows packages, licenses and text files. Does not know the model or how training reads the rows; the tokenizer
only counts.
"""
