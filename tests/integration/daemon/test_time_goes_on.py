"""What ends or changes while the daemon runs: certificates, tokens, a clock that is set."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.x509 import Certificate, load_der_x509_certificate
from grpc_health.v1 import health_pb2, health_pb2_grpc

import cambist
from core.clock import SECOND, ManualClock
from core.errors import Reason, Refused
from daemon.access.certificates import LIFE, Certificates
from daemon.access.grant import Grant
from daemon.access.guard import Guard
from daemon.access.roots import Roots
from daemon.access.tokens import Keyring, bake
from daemon.config.model import ServerSettings
from daemon.listeners import Listeners
from daemon.rpc.dispatcher import MAX_REQUEST, too_large
from daemon.rpc.standard import Health, unknown
from daemon.wire.server import Server
from tests.support.daemon import running_daemon

NOW = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * SECOND
DAY = 86_400 * SECOND


def shown(port: int) -> Certificate:
    """The certificate that a new connection gets."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        with context.wrap_socket(plain) as secured:
            raw = secured.getpeercert(binary_form=True)
            assert raw
            return load_der_x509_certificate(raw)


async def test_a_certificate_is_renewed_without_a_restart(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    certificates = Certificates(tmp_path, (), clock)
    listeners = Listeners(ServerSettings(), tmp_path, certificates)
    health = Health()
    health.tell({"": True})
    server = Server(health.endpoints(), unknown, MAX_REQUEST, too_large)
    port = await server.listen_tcp("127.0.0.1", 0, listeners.tls(certificates))
    try:
        first = await asyncio.to_thread(shown, port)
        assert await asyncio.to_thread(shown, port) == first
        trust = grpc.ssl_channel_credentials((tmp_path / "tls.cert").read_bytes())
        async with grpc.aio.secure_channel(f"localhost:{port}", trust) as channel:
            watch: Any = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert await watch.read()
            clock.advance(int(LIFE.total_seconds()) * SECOND - 29 * DAY)
            second = await asyncio.to_thread(shown, port)
            assert second != first
            assert second.public_key() == first.public_key()  # who pins it goes on trusting it
            assert second.not_valid_after_utc > first.not_valid_after_utc
            assert await asyncio.to_thread(shown, port) == second
            # Who is connected stays so.
            health.tell({"": False})
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            watch.cancel()
    finally:
        await server.stop(0)


async def _drained(stream: Any) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


async def test_a_stream_ends_when_its_token_expires(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as owner:
        until = datetime.now(UTC) + timedelta(seconds=4)
        token = (await owner.access.bake_token("bot", cambist.Grant(expire_time=until))).token
        metadata = (("authorization", f"Bearer {token}"),)
        async with grpc.aio.insecure_channel(daemon.target) as channel:
            call: Any = channel.unary_stream("/cambist.v1.SystemService/StreamStatus")
            stream = call(b"", metadata=metadata, timeout=60)
            assert await stream.read()
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await _drained(stream)
        assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert "expired" in (ended.value.details() or "")
        assert datetime.now(UTC) >= until - timedelta(seconds=1)


@pytest.mark.parametrize("jump", [-10 * DAY, 10 * DAY])
async def test_a_clock_that_is_set_does_not_keep_a_stream_alive(tmp_path: Path, jump: int) -> None:
    clock = ManualClock(NOW)
    roots = Roots(tmp_path / "roots.json", clock)
    guard = Guard(Keyring(roots), clock, False, lambda account: (), lambda account: False)
    token = bake(roots.take("bot"), Grant(expire_time=NOW + SECOND // 10))

    async def stream() -> None:
        with guard.watch(token):
            await asyncio.sleep(60)

    running = asyncio.create_task(stream())
    await asyncio.sleep(0)
    clock.advance(jump)
    with pytest.raises(Refused) as ended:
        await asyncio.wait_for(running, 30)
    assert ended.value.reason is Reason.UNAUTHENTICATED


async def test_a_token_that_was_allowed_is_denied_once_it_has_expired(tmp_path: Path) -> None:
    """What is remembered of a token is not remembered beyond its end."""
    clock = ManualClock(NOW)
    roots = Roots(tmp_path / "roots.json", clock)
    keys = Keyring(roots)
    token = bake(roots.take("bot"), Grant(expire_time=NOW + 10 * SECOND))
    facts = (("operation", "market:read"), ("method", "m"), ("source", "unix"))
    assert keys.denial(token, clock.now(), facts) == ""
    clock.advance(9 * SECOND)
    assert keys.denial(token, clock.now(), facts) == ""
    clock.advance(2 * SECOND)
    assert "time" in keys.denial(token, clock.now(), facts)
