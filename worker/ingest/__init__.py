"""The border to the outside: fetching, demuxing and decoding. Alone here is libav imported and time repaired."""
