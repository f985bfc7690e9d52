"""The command line, and what it composes: check, watch, demo, detectors."""

__version__ = "0.1.0"
