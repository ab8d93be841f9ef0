"""Networks: the transformer, how it attends to what is cached, and how its numbers are stored."""
