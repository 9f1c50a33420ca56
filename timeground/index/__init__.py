"""The index of a video: features of coarse frames with their times, and where events begin; made once, read often."""
