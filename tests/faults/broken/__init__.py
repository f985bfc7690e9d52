"""Detectors that break in different ways, beside one that works."""
