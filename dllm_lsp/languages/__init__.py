"""What is known of programming languages: one record each. Pure, and known on both sides of the process boundary."""
