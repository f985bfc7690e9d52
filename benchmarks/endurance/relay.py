"""A wire that can be cut: a TCP port that leads to another port or to a Unix socket, in a process of its own.

Killed, connections end and new ones are refused. Paused, bytes wait on the way as behind a wall that drops packets.
"""

from __future__ import annotations

import asyncio
import sys

PIECE = 1 << 16


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()
    except OSError:
        return  # the other direction ends, too
    finally:
        writer.close()


async def _serve(port: int, target: str) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if target.startswith("unix:"):
                far_reader, far_writer = await asyncio.open_unix_connection(target.removeprefix("unix:"))
            else:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", int(target))
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(_serve(int(sys.argv[1]), sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(0)
