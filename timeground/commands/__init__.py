"""Commands that belong to no program: their arguments and what they print."""
