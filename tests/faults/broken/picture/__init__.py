"""Detectors of the picture."""
