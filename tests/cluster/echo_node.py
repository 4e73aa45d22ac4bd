"""A node that only says what it was asked: `python -m tests.cluster.echo_node FOLDER NAME`."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from perles.executor.remote.channel import SOCKET, TOKEN, frame, length_of
from perles.executor.remote.messages import Names, Piece, Read
from perles.executor.remote.protocol import decode_call, encode


async def _serve(folder: Path, name: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            for _ in range(2):
                data = await reader.readexactly(length_of(await reader.readexactly(4)))
            call = decode_call(data)
            found: Names | Piece = Names(names=[name, str(call.epoch), str(os.getpid())])
            if isinstance(call.request, Read):
                found = Piece(data=call.request.name.encode() * 2, size=call.request.max)
            writer.write(frame(encode(found)))
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, folder / SOCKET)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    own = Path(sys.argv[1])
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    (own / TOKEN).write_text("t")
    asyncio.run(_serve(own, sys.argv[2]))
