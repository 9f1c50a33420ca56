"""Video files: clips, decoding, sampling."""
