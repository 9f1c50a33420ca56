"""The answer grammar: what a model's reply says, as spans, options, yes or no, or events (docs/answers.md)."""
