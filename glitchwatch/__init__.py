"""The command line, and what it composes: check, watch, demo, detectors."""

import os

# One core a watch. Read when numpy is first imported: its BLAS would start a thread for each core, and spin.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
