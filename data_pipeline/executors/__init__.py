"""Where stages run: worker processes of this machine, or a Ray cluster. Both give the same files."""
