"""Who watches what: assignments derived from streams, workers, and why a stream is or is not watched."""
