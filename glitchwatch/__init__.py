"""The command line, and what it composes: check, watch, demo, detectors."""

from importlib.metadata import version

__version__ = version("glitchwatch")
