"""The whole decode-and-detect pipeline of one input, in memory: ingest -> pipeline -> outbox -> sinks."""

import os

# One core a watch. Read when numpy is first imported: its BLAS would start a thread for each core, and spin.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
