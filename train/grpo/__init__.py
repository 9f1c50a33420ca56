"""Reinforcement learning with verifiable rewards (GRPO): one encoded video, many sampled answers."""
