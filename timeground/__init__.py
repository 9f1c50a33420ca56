"""timeground finds when something happens in a video, and makes the models that do it."""

__version__ = "0.1.0"
