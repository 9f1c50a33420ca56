"""Checks of the installation, and of the time that each reader, processor and server believes it sees."""
