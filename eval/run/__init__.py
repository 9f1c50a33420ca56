"""The run: a model answers the rows of tasks, video by video; what it says is kept as it comes."""
