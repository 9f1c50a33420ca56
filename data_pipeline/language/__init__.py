"""Rules about sentences: whether one tells time's direction, and what it becomes when its video is turned round."""
