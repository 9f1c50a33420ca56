"""Models behind HTTP: any OpenAI-compatible endpoint, and vLLM."""
