"""Models: one interface, opened from a folder, a Hub id or a server."""
