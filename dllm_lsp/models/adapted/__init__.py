"""A causal language model and the adapter that makes it an infiller: weights, and where every token stands."""
