"""Speed, always side by side with what a user would run instead. Run one as ``python -m benchmarks.NAME``."""
