"""The floor under every watch: demux and decode the first picture and the first sound track, and nothing else.

`python -m benchmarks.floor FILE` through PyAV, one thread. Imports no more than that needs, since it is timed.
"""

import sys

import av

if __name__ == "__main__":
    with av.open(sys.argv[1]) as source:
        streams = [*source.streams.video[:1], *source.streams.audio[:1]]
        for stream in streams:
            stream.codec_context.thread_count = 1
            stream.codec_context.options = {"threads": "1"}
        for packet in source.demux(streams):
            packet.decode()
