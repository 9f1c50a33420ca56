"""What a model is shown: parts and messages, where time stands between the frames, prompts, profiles."""
