"""vLLM: our clips in its own format, sampling with log-probabilities, weights while training."""
