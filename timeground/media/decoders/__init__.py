"""Readers of frames: PyAV, decord, torchcodec."""
