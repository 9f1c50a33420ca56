"""The demo: a page in the browser for querying a video, and the same as an API."""
