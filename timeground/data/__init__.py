"""The data row, files of rows, public annotation formats, and decoded clips on disk."""
