"""A clock test for every video processor of transformers: what time each tells a model that its frames have."""
