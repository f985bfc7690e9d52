"""An input into events: demux, decode, and one monotone timeline; the source's faults are told, never raised past it.

`native` reads files and what libav opens, `hls/` fetches playlists and segments, `segments` decodes them,
`opening` chooses, `reconnect` keeps a live address alive. Imports `av`, and nothing else does.
"""
