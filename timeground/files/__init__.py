"""What a run writes: whole or not at all, and kept results that name what they were made from."""
