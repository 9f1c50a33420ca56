"""Ways of asking a model for an answer."""
