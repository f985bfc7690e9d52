"""The whole decode-and-detect pipeline of one input, in memory: ingest -> pipeline -> outbox -> sinks."""
