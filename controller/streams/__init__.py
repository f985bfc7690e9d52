"""Streams: what an operator names and wants watched."""
