"""Video files to clips: frames with their true times."""
