"""Sends requests as fast as a socket takes them, and reads answers as fast as they come.

A client of grpc would be the bottleneck itself, so the frames are written by hand: HTTP/2
(RFC 9113) with headers that need no table (RFC 7541, literals that are not indexed).

python -m bench.workers.flood ADDRESS PATH CONNECTIONS BYTES MANNERS; ADDRESS is a connect string
with its token, BYTES the size of a message. With "polite" manners no more calls are open at once
than the daemon allows, as every library of grpc sees to; with "rude" that is not looked at. Says
what it has done for each line that it hears; ends with its input.
"""

import asyncio
import ssl
import struct
import sys
from urllib.parse import parse_qs, urlsplit

from bench.workers.talk import Ears, say

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS, _WINDOW, _PING, _HEADERS, _DATA, _GOAWAY, _RESET = 4, 8, 6, 1, 0, 7, 3
_ACK = _END_STREAM = 1
_END_HEADERS = 4
_WIDE = 0x7FFFFFFF - 65_535
_BATCH = 200  # requests in one write, or
_BYTES = 1 << 20  # as many as this much
_TOLD = "sent", "ended", "connections"
_LAST_STREAM = 0x7FFFFFFF
_MAX_STREAMS = 3  # the id of a setting


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame of HTTP/2."""
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\x00" + _text(name) + _text(value)


def _text(value: bytes) -> bytes:
    if len(value) < 127:
        return bytes([len(value)]) + value
    rest, made = len(value) - 127, bytearray(b"\x7f")
    while rest > 127:
        made.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*made, rest]) + value


def headers(path: str, token: str) -> bytes:
    """The header block of a call."""
    pairs = [
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()),
        (b":authority", b"localhost"), (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]  # fmt: skip
    if token:
        pairs.append((b"authorization", f"Bearer {token}".encode()))
    return b"".join(_literal(name, value) for name, value in pairs)


class Flood:
    """One connection after another, until it is cancelled."""

    def __init__(self, address: str, path: str, size: int, polite: bool) -> None:
        self._address = urlsplit(address)
        token = parse_qs(self._address.query).get("token", [""])[0]
        self._headers = headers(path, token)
        self._body = struct.pack(">BI", 0, size) + bytes(size)
        self._batch = max(1, min(_BATCH, _BYTES // (size + 1)))
        self._polite = polite
        self._room = asyncio.Event()
        self._open = self._allowed = 0
        self.sent = self.ended = self.connections = 0

    async def run(self) -> None:
        """Connects again whenever the daemon has had enough of a connection."""
        while True:
            try:
                await self._connection()
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.01)

    async def _connection(self) -> None:
        reader, writer = await self._connect()
        self.connections += 1
        self._open = self._allowed = 0
        window = struct.pack(">I", _WIDE)
        writer.write(_PREFACE + frame(_SETTINGS, 0, 0) + frame(_WINDOW, 0, 0, window))
        reading = asyncio.create_task(self._read(reader, writer))
        reading.add_done_callback(lambda task: self._room.set())
        try:
            stream = 1
            while stream < _LAST_STREAM and not reading.done():
                count = self._batch
                if self._polite:
                    count = min(count, self._allowed - self._open)
                    if count <= 0:
                        self._room.clear()
                        await self._room.wait()
                        continue
                streams = range(stream, stream + 2 * count, 2)
                writer.write(b"".join(map(self._call, streams)))
                stream += 2 * count
                self._open += count
                self.sent += count
                await writer.drain()
        finally:
            reading.cancel()
            writer.close()

    def _call(self, stream: int) -> bytes:
        return frame(_HEADERS, _END_HEADERS, stream, self._headers) + frame(
            _DATA, _END_STREAM, stream, self._body
        )

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._address.scheme == "unix":
            return await asyncio.open_unix_connection(self._address.path)
        secured = None
        if "key=" in self._address.query:
            secured = ssl.create_default_context()
            secured.check_hostname, secured.verify_mode = False, ssl.CERT_NONE
            secured.set_alpn_protocols(["h2"])
        host, port = self._address.hostname, self._address.port
        return await asyncio.open_connection(host, port, ssl=secured)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Reads and forgets answers; pings are answered, or the daemon would hang up."""
        while True:
            head = await reader.readexactly(9)
            kind, flags = head[3], head[4]
            payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
            if kind == _RESET or (kind == _HEADERS and flags & _END_STREAM):
                self._open -= 1
                self.ended += 1
                self._room.set()
            elif kind == _PING and not flags & _ACK:
                writer.write(frame(_PING, _ACK, 0, payload))
            elif kind == _SETTINGS and not flags & _ACK:
                writer.write(frame(_SETTINGS, _ACK, 0))
                found = dict(struct.iter_unpack(">HI", payload))
                self._allowed = found.get(_MAX_STREAMS, _BATCH)
                self._room.set()
            elif kind == _GOAWAY:
                return


async def main() -> None:
    """Floods until nobody listens any more."""
    address, path, connections, size, manners = sys.argv[1:]
    ears = await Ears().open()
    polite = manners == "polite"
    floods = [Flood(address, path, int(size), polite) for _ in range(int(connections))]
    running = [asyncio.create_task(one.run()) for one in floods]
    say({"ready": True})
    while running:
        await ears.word()
        say({name: sum(getattr(one, name) for one in floods) for name in _TOLD})


if __name__ == "__main__":
    asyncio.run(main())
