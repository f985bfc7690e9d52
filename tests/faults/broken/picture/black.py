"""The one that works."""

from detectors.picture.black import DETECTOR

__all__ = ["DETECTOR"]
