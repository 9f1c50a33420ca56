"""A model in this process: inputs, vision tower, shared prefixes, sampling."""
