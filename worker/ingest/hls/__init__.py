"""Our own HLS client: every playlist and segment is fetched into memory with time-outs, and every fault is told.

    with HlsClient(url, options, position_ns=timeline.position) as client:
        for item in client:              # Segment | Fetch | Source | None (nothing for 250 ms)
            ...
    later = HlsClient(url, options, position_ns=..., resume=client.checkpoint())

Parts: `playlist` (text to data), `variants` (which media playlists), `net` and `fetch` (one request),
`crypto` (AES-128), `follow` (one media playlist over time), `join` (several into one order), `client`.
Source: RFC 8216.
"""
