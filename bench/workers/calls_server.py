"""A server with one method that does nothing and one stream that never ends, on a unix socket.

Arguments: the socket, and "ours" (daemon/wire) or "grpcio" (its asyncio server). Both have the same
messages. Says when it listens; ends with its input.
"""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from bench.workers.talk import Ears, say
from daemon.rpc.loop import run
from daemon.wire.call import Call, CallFailed, Endpoint, Status, Stream, Unary
from daemon.wire.server import Server

SERVICE = "bench.Calls"
ANSWER = b"\x0a\x08answered"
MESSAGE = b"\x0a\x62" + b"." * 98  # of the stream


async def ours(socket: Path) -> object:
    """What the daemon listens with."""

    async def answer(raw: bytes, call: Call) -> bytes:
        return ANSWER

    async def stream(raw: bytes, call: Call) -> None:
        while True:
            await call.send(MESSAGE)

    async def unknown(raw: bytes, call: Call) -> bytes:
        raise CallFailed(Status.UNIMPLEMENTED, "no such method")

    endpoints: dict[str, Endpoint] = {
        f"/{SERVICE}/Call": Unary(answer),
        f"/{SERVICE}/Stream": Stream(stream),
    }
    server = Server(
        endpoints,
        lambda path: Unary(unknown),
        1 << 20,
        lambda size: CallFailed(Status.RESOURCE_EXHAUSTED, "too large"),
    )
    await server.listen_unix(socket)
    return server


async def grpcio(socket: Path) -> object:
    """The server of the Python package, with handlers that take and give bytes too."""

    async def answer(raw: bytes, context: Any) -> bytes:
        return ANSWER

    async def stream(raw: bytes, context: Any) -> AsyncIterator[bytes]:
        while True:
            yield MESSAGE

    handlers: dict[str, Any] = {
        "Call": grpc.unary_unary_rpc_method_handler(answer),
        "Stream": grpc.unary_stream_rpc_method_handler(stream),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    return server


async def main(socket: str, kind: str) -> None:
    """Serves until nobody listens any more."""
    server = await (ours if kind == "ours" else grpcio)(Path(socket))
    ears = await Ears().open()
    say({"listens": kind})
    while server:
        await ears.word()


if __name__ == "__main__":
    run(main(sys.argv[1], sys.argv[2]))
