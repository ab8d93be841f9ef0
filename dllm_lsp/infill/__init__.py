"""What both halves speak of: a hole, what may be spent on it, and what is written into it. Pure."""
