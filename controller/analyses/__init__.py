"""Finite work: probes of a source, and analyses of a source from its beginning to its end."""
