"""Errors that are the user's to mend: one line that says what, where and what to do."""


class UserError(Exception):
    """A mistake in what the user gave. The command line prints it as one line and exits with status 2."""


class VideoError(UserError):
    """A video that cannot be read. The message names the file and what is wrong with it."""


class OutputError(UserError):
    """An output that cannot be written. It is no row's and no video's error: whatever runs stops, and can go on."""
