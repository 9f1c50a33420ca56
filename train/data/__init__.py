"""What is trained on: clips with their rows, rendered into examples and packed into batches."""
