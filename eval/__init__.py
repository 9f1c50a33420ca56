"""Program 3: a model and benchmarks in, numbers with error bars out."""
