"""Tokens and TLS against a real daemon: who gets in, and what each may do."""

import asyncio
import socket
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest
from biscuit_auth import Biscuit, BlockBuilder, PublicKey, UnverifiedBiscuit

import cambist
from cambist.services.access import grant_message
from daemon.access.tokens import attenuate
from daemon.app import CONTRACT
from daemon.codec.access import grant as read_grant
from daemon.rpc.method import Method
from tests.support.access import client_certificate
from tests.support.daemon import RunningDaemon, running_daemon, sandbox_arguments

METHODS = [
    Method.of(one)
    for file in CONTRACT
    for service in file.services_by_name.values()
    for one in service.methods
]
ORDER: dict[str, Any] = {
    "venue": "paper", "instrument": "ETH-USDC", "side": cambist.Side.BUY, "quantity": "0.1",
    "price": "1000",
}  # fmt: skip
SCOPES = {"venue": "venues", "account": "accounts", "instrument": "instruments"}


@asynccontextmanager
async def secured(directory: Path) -> AsyncIterator[RunningDaemon]:
    """A sandbox whose TCP needs TLS and a token."""
    arguments = [*sandbox_arguments(directory, security="tls")[:-1], "127.0.0.1:0"]
    async with running_daemon(directory, *arguments) as daemon:
        yield daemon


async def code(
    channel: grpc.aio.Channel, method: Method, token: str, request: bytes = b""
) -> grpc.StatusCode:
    """How a raw call ends; OK for a stream that begins."""
    options: dict[str, Any] = {"metadata": (("authorization", f"Bearer {token}"),), "timeout": 20}
    kind: Any = channel.unary_stream if method.streams else channel.unary_unary
    call = kind(f"/{method.path}")(request, **options)
    try:
        await (call.read() if method.streams else call)
        call.cancel()
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def _drained(stream: Any) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


def test_every_call_names_a_permission_and_what_it_concerns() -> None:
    for method in METHODS:
        assert method.permission, method.path
        named = {scope for scope, _ in method.concern.fields}
        assert named <= set(method.concern.scopes), method.path
    unlimited = {one.name for one in METHODS if not one.concern.scopes}
    assert unlimited == {
        "BakeToken", "InspectToken", "ListTokenRoots", "ListPermissions", "ListAccounts",
        "ListNetworks", "GetNetwork", "ListTokens", "GetToken", "AddToken", "RemoveToken",
        "EstimateFees", "ListRiskLimits", "ListHalts", "ListFaults", "GetInfo", "GetStatus",
        "StreamStatus", "ListVenues", "ListWallets",
    }  # fmt: skip


async def test_every_restriction_on_every_call_that_it_concerns(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as owner:
        tokens: dict[str, str] = {}
        for scope, field in SCOPES.items():
            limits: dict[str, Any] = {field: ("nowhere",)}
            made = await owner.access.bake_token(scope, cambist.Grant(**limits))
            tokens[scope] = made.token
        nothing = (
            await owner.access.bake_token("x", cambist.Grant(permissions=("access:read",)))
        ).token
        one = cambist.Grant(methods=("cambist.v1.SystemService/GetInfo",))
        single = (await owner.access.bake_token("m", one)).token
        paper = (await owner.access.bake_token("p", cambist.Grant(paper_only=True))).token
        away = cambist.Grant(source_addresses=("10.0.0.0/8",))
        foreign = (await owner.access.bake_token("a", away)).token
        past = cambist.Grant(expire_time=datetime.now(UTC) - timedelta(seconds=5))
        expired = (await owner.access.bake_token("e", past)).token
        denied = grpc.StatusCode.PERMISSION_DENIED
        async with grpc.aio.insecure_channel(daemon.target) as channel:
            for method in METHODS:
                for scope, token in tokens.items():
                    if scope in method.concern.scopes:
                        assert await code(channel, method, token) is denied, (method.path, scope)
                if method.permission != "access:read":
                    assert await code(channel, method, nothing) is denied, method.path
                if method.name != "GetInfo":
                    assert await code(channel, method, single) is denied, method.path
                if "account" in method.concern.scopes:
                    assert await code(channel, method, paper) is denied, method.path
                assert await code(channel, method, foreign) is denied, method.path
                assert await code(channel, method, expired) is denied, method.path


async def test_what_a_token_lists_is_allowed(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as owner:
        grant = cambist.Grant(
            venues=("paper",), accounts=("paper",), instruments=("ETH-USDC",), paper_only=True
        )
        token = (await owner.access.bake_token("bot", grant)).token
        async with cambist.connect(f"{daemon.connect}?token={token}") as bot:
            await bot.market.get_ticker("paper", "ETH-USDC")
            await bot.accounts.list_balances(account="paper")
            placed = await bot.trading.place_order(account="paper", **ORDER)
            await bot.trading.cancel_order(placed.client_order_id, account="paper")
            with pytest.raises(cambist.PermissionDenied) as refused:
                await bot.market.get_ticker("paper", "BTC-USDC")
            assert "limited to the instruments ETH-USDC" in refused.value.message


async def test_tcp_asks_for_tls_and_a_token(tmp_path: Path) -> None:
    async with secured(tmp_path) as daemon, cambist.connect(daemon.connect) as owner:
        grant = cambist.Grant(permissions=("system:read", "orders:write"))
        made = await owner.access.bake_token("bot", grant)
        async with cambist.connect(made.connect_string) as bot:
            assert (await bot.system.get_status()).state.name in ("READY", "DEGRADED")
            with pytest.raises(cambist.PermissionDenied) as refused:
                await bot.system.shutdown()
            assert refused.value.metadata["root"] == "bot"
            assert "token" not in bot.address
        address, _, query = made.connect_string.partition("?")
        with pytest.raises(cambist.errors.Error):  # plaintext
            await cambist.connect(address)
        key = query.partition("key=")[2].partition("&")[0]
        with pytest.raises(cambist.Unauthenticated):
            await cambist.connect(f"{address}?key={key}")
        with pytest.raises(cambist.Unauthentic):
            await cambist.connect(made.connect_string.replace(key, "A" * len(key)))
        with pytest.raises(cambist.Unauthenticated):
            await cambist.connect(made.connect_string + "A")
        # A client that knows nothing of ours: the certificate alone, by its file.
        port = int(address.rpartition(":")[2])
        context = ssl.create_default_context(cafile=str(daemon.data_dir / "access" / "tls.cert"))
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.close()


async def test_mutual_tls_asks_for_a_certificate_as_well(tmp_path: Path) -> None:
    authority, own = client_certificate(tmp_path, "bot")
    _, foreign = client_certificate(tmp_path, "stranger")
    arguments = [*sandbox_arguments(tmp_path, security="tls")[:-1], "127.0.0.1:0"]
    config = tmp_path / "cambist.toml"
    config.write_text(config.read_text() + f'client_certificates = "{authority}"\n')
    async with running_daemon(tmp_path, *arguments) as daemon:
        async with cambist.connect(daemon.connect) as owner:
            made = await owner.access.bake_token("bot", cambist.Grant())
        async with cambist.connect(f"{made.connect_string}&certificate={own}") as bot:
            await bot.system.get_status()
        for certificate in ("", f"&certificate={foreign}"):
            with pytest.raises(cambist.errors.Error) as refused:
                await cambist.connect(made.connect_string + certificate)
            assert ("&certificate=FILE" in refused.value.message) is (not certificate)
        for missing in (authority, tmp_path / "none.pem"):
            with pytest.raises(cambist.errors.Error, match="certificate"):
                await cambist.connect(f"{made.connect_string}&certificate={missing}")
        # The certificate alone is not enough.
        bare = made.connect_string.partition("&token")[0]
        with pytest.raises(cambist.Unauthenticated):
            await cambist.connect(f"{bare}&certificate={own}")


async def test_a_malformed_hello_and_idle_connections_do_no_harm(tmp_path: Path) -> None:
    async with secured(tmp_path) as daemon, cambist.connect(daemon.connect) as owner:
        made = await owner.access.bake_token("bot", cambist.Grant())
        port = int(made.connect_string.partition("?")[0].rpartition(":")[2])
        sockets = []
        for number in range(300):
            one = socket.create_connection(("127.0.0.1", port))
            if number % 2:
                one.sendall(b"\x16\x03\x01\xff\xff" + bytes(200))
            sockets.append(one)
        async with cambist.connect(made.connect_string) as bot:
            assert await bot.venues.list_venues()
        for one in sockets:
            one.close()


async def test_the_files_of_the_first_start(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon:
        folder = daemon.data_dir / "access"
        for name in ("admin", "read-only", "trader", "market-data"):
            path = folder / f"{name}.token"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            token = path.read_text().strip()
            async with cambist.connect(f"{daemon.connect}?token={token}") as bot:
                assert await bot.venues.list_venues()
                if name == "admin":
                    await bot.wallets.list_wallets()
                    continue
                with pytest.raises(cambist.PermissionDenied):
                    await bot.wallets.create_wallet("w", cambist.ChainFamily.EVM)
                if name != "trader":
                    with pytest.raises(cambist.PermissionDenied):
                        await bot.trading.cancel_all_orders("paper", account="paper")


async def test_a_baked_token_is_never_wider_than_its_baker(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as owner:
        narrow = cambist.Grant(venues=("paper",), max_order_notional=Decimal(10))
        parent = (await owner.access.bake_token("parent", narrow)).token
        async with cambist.connect(f"{daemon.connect}?token={parent}") as bot:
            with pytest.raises(cambist.PermissionDenied, match="of the root 'parent' only"):
                await bot.access.bake_token("child", cambist.Grant())
            child = (await bot.access.bake_token("parent", cambist.Grant())).token
        seen = await owner.access.inspect_token(child)
        assert [one.name for one in await owner.access.list_token_roots()].count("child") == 0
        assert (seen.grant.venues, seen.grant.max_order_notional) == (("paper",), Decimal(10))
        async with cambist.connect(f"{daemon.connect}?token={child}") as bot:
            with pytest.raises(cambist.PermissionDenied):
                await bot.market.get_ticker("paper_perpetual", "ETH-USDC-PERP")


async def test_words_in_a_holders_own_check_grant_nothing(tmp_path: Path) -> None:
    """What a library prints of a check is no code to be run: strings are not escaped in it."""
    facts = 'operation(\\"transfers:write\\"); time(2020-01-01T00:00:00Z); check if a(\\"'
    own = f'check if true or a("\\"); {facts}")'
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as owner:
        narrow = cambist.Grant(permissions=("access:write", "access:read"))
        parent = (await owner.access.bake_token("parent", narrow)).token
        key = UnverifiedBiscuit.from_base64(parent).block_source(0).partition('root_key("')[2]
        verified = Biscuit.from_base64(parent, PublicKey(key.partition('"')[0]))
        forged = verified.append(BlockBuilder(own)).to_base64()
        async with cambist.connect(f"{daemon.connect}?token={forged}") as bot:
            assert bot.info.version == ""  # it may not ask, and connects all the same
            with pytest.raises(cambist.PermissionDenied, match="cannot make others"):
                await bot.access.bake_token("parent", cambist.Grant())
        assert (await owner.access.inspect_token(forged)).other_checks


async def test_revoking_ends_calls_and_streams_also_after_a_restart(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as owner:
        token = (await owner.access.bake_token("bot", cambist.Grant())).token
        narrower = attenuate(token, read_grant(grant_message(cambist.Grant(venues=("paper",)))))
        async with grpc.aio.insecure_channel(daemon.target) as channel:
            status = next(one for one in METHODS if one.name == "StreamStatus")
            metadata = (("authorization", f"Bearer {token}"),)
            kind: Any = channel.unary_stream(f"/{status.path}")
            stream = kind(b"", metadata=metadata, timeout=60)
            await stream.read()
            await owner.access.revoke_token_root("bot")
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await _drained(stream)
            assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED
            info = next(one for one in METHODS if one.name == "GetInfo")
            for one in (token, narrower):
                assert await code(channel, info, one) is grpc.StatusCode.UNAUTHENTICATED
        await daemon.kill()
        await daemon.start()
        async with grpc.aio.insecure_channel(daemon.target) as channel:
            assert await code(channel, info, token) is grpc.StatusCode.UNAUTHENTICATED
        roots = {root.name: root.revoked for root in await owner.access.list_token_roots()}
        assert roots["bot"] is True
        assert roots["admin"] is False


async def test_an_order_by_its_id_is_of_its_venue(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as owner:
        placed = await owner.trading.place_order(account="paper", **ORDER)
        elsewhere = cambist.Grant(venues=("paper_perpetual",))
        token = (await owner.access.bake_token("bot", elsewhere)).token
        async with cambist.connect(f"{daemon.connect}?token={token}") as bot:
            for call in (bot.trading.get_order, bot.trading.cancel_order):
                with pytest.raises(cambist.PermissionDenied):
                    await call(placed.client_order_id, account="paper")
        here = (await owner.access.bake_token("bot", cambist.Grant(venues=("paper",)))).token
        async with cambist.connect(f"{daemon.connect}?token={here}") as bot:
            await bot.trading.cancel_order(placed.client_order_id, account="paper")


async def test_a_token_is_in_no_log_and_not_in_the_journal(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as owner:
        made = await owner.access.bake_token("bot", cambist.Grant(), request_id="bake-1")
        again = await owner.access.bake_token("bot", cambist.Grant(), request_id="bake-1")
        assert (again.token, again.connect_string) == ("", "")
        await daemon.stop()
        secret = made.token.encode()
        for path in (daemon.log, *daemon.data_dir.glob("journal*")):
            assert secret[:40] not in path.read_bytes()
            assert secret[-40:] not in path.read_bytes()
