"""TLS, and what comes to a port that is not for it."""

import asyncio
import contextlib
import datetime
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from daemon.wire import door
from daemon.wire.server import Server, tls_context
from tests.support.wire import (
    LARGEST,
    PATIENCE,
    PREFACE,
    Methods,
    Polite,
    message,
    request,
    settings,
    too_large,
    trusting,
    unknown,
    until,
)  # fmt: skip


class Identity:
    """A key and a certificate, signed by another or by itself."""

    def __init__(self, folder: Path, name: str, by: "Identity | None" = None) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name((by or self).name)
            .public_key(self.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(by is None, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
            .sign((by or self).private, hashes.SHA256())
        )
        self.key_file, self.file = folder / f"{name}.key", folder / f"{name}.pem"
        plain = serialization.NoEncryption()
        pkcs8 = serialization.PrivateFormat.PKCS8
        self.key_file.write_bytes(
            self.private.private_bytes(serialization.Encoding.PEM, pkcs8, plain)
        )
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))


class Secured:
    """A server on TCP."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.methods = Methods()
        self.server = Server(self.methods.endpoints(), unknown, LARGEST, too_large)
        self.identity = Identity(folder, "first")
        self.clients: Identity | None = None  # who signs theirs
        self.due = False
        self.port = 0

    def load(self, context: ssl.SSLContext) -> None:
        context.load_cert_chain(self.identity.file, self.identity.key_file)
        if self.clients is not None:
            context.load_verify_locations(self.clients.file)
            context.verify_mode = ssl.CERT_REQUIRED

    def renewed(self) -> bool:
        due, self.due = self.due, False
        return due

    async def listen(self, tls: bool = True) -> None:
        context = tls_context(self.load, self.renewed) if tls else None
        self.port = await self.server.listen_tcp("127.0.0.1", 0, context)

    async def streams(
        self, context: ssl.SSLContext | None, name: str | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.open_connection(
                "127.0.0.1", self.port, ssl=context, server_hostname=name
            )

    def quiet(self) -> bool:
        rooms = self.server._doors
        return not self.server._connections and not any(
            one._welcoming or one._inside for one in rooms
        )


@contextlib.asynccontextmanager
async def secured(
    folder: Path, tls: bool = True, clients: Identity | None = None
) -> AsyncIterator[Secured]:
    made = Secured(folder)
    made.clients = clients
    await made.listen(tls)
    try:
        yield made
    finally:
        await made.server.stop(0)


def h2_only(**more: Any) -> ssl.SSLContext:
    context = trusting()
    context.set_alpn_protocols(["h2"])
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_calls(tmp_path: Path, version: ssl.TLSVersion) -> None:
    async with secured(tmp_path) as served:
        context = h2_only()
        context.minimum_version = context.maximum_version = version
        client = await Polite(*await served.streams(context)).greet()
        body, ending = await client.call("/t/Echo", bytes(LARGEST))
        assert (len(body), ending["grpc-status"]) == (LARGEST + 5, "0")
        body, _ = await client.call("/t/Bytes", str(5 << 20).encode())
        assert body == message(bytes(5 << 20))
        (call,) = served.methods.seen
        assert call.source == "127.0.0.1"
        assert call.peer.startswith("ipv4:127.0.0.1:")
        client.close()
        await until(served.quiet)


async def test_grpcio_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    authority = Identity(tmp_path, "authority")
    async with secured(tmp_path, clients=authority) as served:
        trust = served.identity.file.read_bytes()
        good = Identity(tmp_path, "good", authority)
        bad = Identity(tmp_path, "bad")
        credentials = {
            grpc.StatusCode.OK: (good.key_file.read_bytes(), good.file.read_bytes()),
            grpc.StatusCode.UNAVAILABLE: (bad.key_file.read_bytes(), bad.file.read_bytes()),
        }
        for code, mine in [*credentials.items(), (grpc.StatusCode.UNAVAILABLE, (None, None))]:
            made = grpc.ssl_channel_credentials(trust, *mine)
            async with grpc.aio.secure_channel(f"localhost:{served.port}", made) as opened:
                channel: Any = opened
                call = channel.unary_unary("/t/Echo")(b"x", timeout=PATIENCE)
                assert await call.code() is code
        assert len(served.methods.seen) == 1
        await until(served.quiet)


@pytest.mark.parametrize("name", ["localhost", "", "127.0.0.1"])
async def test_a_renewed_certificate_is_shown_to_all(tmp_path: Path, name: str) -> None:
    """Also to clients that name nobody."""
    async with secured(tmp_path) as served:

        async def shown() -> bytes | None:
            _, writer = await served.streams(h2_only(), name)
            found: bytes | None = writer.get_extra_info("ssl_object").getpeercert(True)
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
            writer.transport.abort()
            return found

        first = await shown()
        served.identity = Identity(tmp_path, "second")
        assert await shown() == first
        served.due = True
        second = await shown()
        assert second == served.identity.certificate.public_bytes(serialization.Encoding.DER)
        served.identity.file.write_text("no certificate")  # the one before is good for a while
        served.due = True
        assert await shown() == second


@pytest.mark.parametrize("protocols", [None, ["http/1.1"]])
async def test_who_does_not_ask_for_http_2_is_told(tmp_path: Path, protocols: Any) -> None:
    async with secured(tmp_path) as served:
        context = trusting()
        if protocols:
            context.set_alpn_protocols(protocols)
        for words in (
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            PREFACE + settings() + request(1, "/t/Echo"),
        ):
            reader, writer = await served.streams(context)
            writer.write(words)
            told = await asyncio.wait_for(reader.read(), PATIENCE)
            assert told.startswith(b"HTTP/1.1 505 ")
            assert b"ALPN" in told
            writer.close()
        assert not served.methods.seen
        await until(served.quiet)


async def test_who_speaks_plainly_to_a_port_with_tls_is_told(tmp_path: Path) -> None:
    async with secured(tmp_path) as served:
        for words in (
            b"POST /t/Echo HTTP/1.1\r\nHost: localhost\r\n\r\n",
            PREFACE + settings() + request(1, "/t/Echo"),
        ):
            reader, writer = await served.streams(None)
            writer.write(words)
            told = await asyncio.wait_for(reader.read(), PATIENCE)
            assert told.startswith(b"HTTP/1.1 505 ")
            assert b"speaks TLS" in told
            writer.close()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{served.port}") as opened:
            channel: Any = opened
            call = channel.unary_unary("/t/Echo")(b"x", timeout=PATIENCE)
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
        assert not served.methods.seen
        await until(served.quiet)


async def test_http_1_to_a_plain_port_is_answered(tmp_path: Path) -> None:
    async with secured(tmp_path, tls=False) as served:
        reader, writer = await served.streams(None)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        told = await asyncio.wait_for(reader.read(), PATIENCE)
        head, _, body = told.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 505 ")
        assert f"Content-Length: {len(body)}".encode() in head
        assert b"gRPC" in body
        writer.close()
        await until(served.quiet)


@pytest.mark.parametrize("path", ["/t/Echo", "/"])
async def test_what_is_no_grpc_is_told_so(tmp_path: Path, path: str) -> None:
    async with secured(tmp_path, tls=False) as served:
        for method, kind, status in (("GET", "text/plain", "405"), ("POST", "text/json", "415")):
            client = await Polite(*await served.streams(None)).greet()
            stream = client.h2.get_next_available_stream_id()
            pairs = [
                (":method", method), (":scheme", "http"), (":path", path),
                (":authority", "localhost"), ("content-type", kind),
            ]  # fmt: skip
            client.h2.send_headers(stream, pairs, end_stream=method == "GET")
            if method == "POST":
                await client.data(stream, bytes(100_000), end=False)
            await client.flush()
            body, ending = await client.answer(stream)
            assert (ending[":status"], int(ending["content-length"])) == (status, len(body))
            assert b"gRPC" in body
            client.close()
        await until(served.quiet)


@pytest.mark.parametrize(
    "hello",
    [b"\x16\x03\x01\xff\xff" + bytes(200), b"\x16", b"", b"\x16\x03\x01\x00\x05hello", b"\0" * 50],
)
async def test_a_handshake_that_is_none_or_does_not_end(
    tmp_path: Path, hello: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "HANDSHAKE_SECONDS", 0.3)
    async with secured(tmp_path) as served:
        first, one = await served.streams(None)
        one.write(b"GET / HTTP/1.1\r\n\r\n")
        await first.read()
        one.close()
        await until(served.quiet)
        files = psutil.Process().num_fds()  # with what the loop opened for the first
        opened = [await served.streams(None) for _ in range(20)]
        for _, writer in opened:
            writer.write(hello)
        for reader, writer in opened:
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(reader.read(), PATIENCE)
            writer.transport.abort()
        await until(served.quiet)
        await until(lambda: psutil.Process().num_fds() <= files)


async def test_too_many_are_refused_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who shake hands count too; and who comes by the unix socket has a door of its own."""
    monkeypatch.setattr(door, "_most", lambda: 10)
    async with secured(tmp_path) as served:
        await served.server.listen_unix(tmp_path / "wire.sock")
        silent = [await served.streams(None) for _ in range(30)]
        refused = 0
        for reader, _ in silent[10:]:
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
            refused += 1
        assert refused == 20
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "wire.sock"))
        client = await Polite(reader, writer).greet()
        assert (await client.call("/t/Echo", b"x"))[0] == message(b"x")
        client.close()
        for _, one in silent:
            one.transport.abort()
        await until(served.quiet)
        again = await Polite(*await served.streams(h2_only())).greet()
        assert (await again.call("/t/Echo", b"x"))[0] == message(b"x")
        again.close()


async def test_who_has_gone_before_it_was_let_in_is_not_taken_for_the_unix_socket(
    tmp_path: Path,
) -> None:
    """Its words may still be read when its address is no longer known to the system."""
    async with secured(tmp_path, tls=False) as served:
        for number in range(50):
            one = socket.create_connection(("127.0.0.1", served.port))
            one.sendall(PREFACE + settings() + request(1, "/t/Echo"))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()  # a reset, while it waits to be accepted
            if number % 5 == 0:
                await asyncio.sleep(0)
        client = await Polite(*await served.streams(None)).greet()
        await client.call("/t/Echo", b"x")
        client.close()
        await until(served.quiet)
        assert {call.source for call in served.methods.seen} == {"127.0.0.1"}
