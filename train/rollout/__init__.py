"""Where answers come from: the model in the trainer or a server, and clips changed to compare with."""
