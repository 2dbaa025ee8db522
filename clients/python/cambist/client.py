"""The connection to a daemon, and how it is found."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Self

import grpc

from cambist import address as addresses
from cambist.channel import open_channel
from cambist.errors import ConnectionLost, Error, IncompatibleDaemon, NoDaemon
from cambist.rpc import CHANNEL_OPTIONS, Rpc
from cambist.services.access import Access
from cambist.services.accounts import Accounts
from cambist.services.chains import Chains
from cambist.services.events import Events
from cambist.services.liquidity import Liquidity
from cambist.services.market import Market
from cambist.services.risk import Risk
from cambist.services.sandbox import Sandbox
from cambist.services.swaps import Swaps
from cambist.services.system import System
from cambist.services.trading import Trading
from cambist.services.venues import Venues
from cambist.services.wallets import Wallets

if TYPE_CHECKING:
    from types import TracebackType

    from cambist.types import Info

API = "cambist.v1"


class Client:
    """One connection to one daemon; safe to share between the tasks of an event loop.

    `info` is what the daemon said of itself, `address` where it listens, `channel` the grpc channel
    for what this layer leaves out (`cambist.v1` has the generated stubs).
    """

    def __init__(self, rpc: Rpc, info: Info) -> None:
        self._rpc = rpc
        self.info = info
        self.address = rpc.address
        self.channel = rpc.channel
        self.system = System(rpc)
        self.venues = Venues(rpc)
        self.market = Market(rpc)
        self.trading = Trading(rpc)
        self.accounts = Accounts(rpc)
        self.events = Events(rpc)
        self.chains = Chains(rpc)
        self.wallets = Wallets(rpc)
        self.swaps = Swaps(rpc)
        self.liquidity = Liquidity(rpc)
        self.sandbox = Sandbox(rpc)
        self.access = Access(rpc)
        self.risk = Risk(rpc)

    async def close(self) -> None:
        """Ends the connection and its streams."""
        await self._rpc.channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class Connecting:
    """What `connect` gives: `async with` it, or `await` it and close the client yourself."""

    def __init__(
        self,
        address: str | None,
        profile: str | None,
        timeout: float,
        patience: float,
        wait: float,
    ) -> None:
        self._given = address, profile
        self._timeout = timeout
        self._patience = patience
        self._wait = wait
        self._client: Client | None = None

    def __await__(self) -> Generator[Any, None, Client]:
        return self._connect().__await__()

    async def __aenter__(self) -> Client:
        self._client = await self._connect()
        return self._client

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.close()

    async def _connect(self) -> Client:
        deadline = time.monotonic() + self._wait
        while True:
            tried = addresses.candidates(*self._given)
            for address in tried:
                try:
                    return await self._handshake(address)
                except NoDaemon:
                    continue
            if time.monotonic() >= deadline:
                raise addresses.no_daemon(tried)
            await asyncio.sleep(0.05)

    async def _handshake(self, address: str) -> Client:
        shown = addresses.without_token(address)
        try:
            channel = await open_channel(addresses.read(address), CHANNEL_OPTIONS)
        except OSError:
            raise addresses.no_daemon([shown]) from None
        rpc = Rpc(channel, shown, self._timeout, self._patience)
        try:
            info = await _info(rpc, self._timeout)
        except BaseException:
            await channel.close()
            raise
        rpc.heartbeat = info.limits.heartbeat_milliseconds / 1000
        return Client(rpc, info)


# The checks of a token that is limited to other permissions or calls.
_LIMITED = ("check if operation(", "check if method(")
_HEARTBEAT = 10_000  # milliseconds, a daemon's default


async def _info(rpc: Rpc, timeout: float) -> Info:
    """One attempt only: where nobody listens, nobody is waited for."""
    from cambist.convert import decode
    from cambist.errors import decode as decode_error
    from cambist.types import Info
    from cambist.v1 import system_pb2
    from cambist.v1.system_pb2_grpc import SystemServiceStub

    try:
        stub = SystemServiceStub(rpc.channel)
        response = await stub.GetInfo(system_pb2.GetInfoRequest(), timeout=timeout)
    except grpc.aio.AioRpcError as failure:
        error = decode_error(failure)
        if isinstance(error, ConnectionLost):
            raise addresses.no_daemon([rpc.address]) from None
        if failure.code() is grpc.StatusCode.UNIMPLEMENTED:
            raise IncompatibleDaemon(
                f"what answers at {rpc.address} does not speak {API}: is it cambistd?"
            ) from None
        if not error.metadata.get("rule", "").startswith(_LIMITED):
            raise error from None
        # A token that may place orders need not be one that may ask who answers.
        limits = system_pb2.Limits(heartbeat_milliseconds=_HEARTBEAT)
        response = system_pb2.GetInfoResponse(api=API, limits=limits)
    if response.api != API:
        raise IncompatibleDaemon(
            f"the daemon at {rpc.address} ({response.version}) speaks {response.api or 'nothing'}, "
            f"this client {API}: install the client of the daemon's version",
            metadata={"api": response.api, "version": response.version},
        )
    return decode(Info, response)


def connect(
    address: str | None = None,
    *,
    profile: str | None = None,
    timeout: float = 30.0,
    patience: float = 60.0,
    wait: float = 0.0,
) -> Connecting:
    """Connects to a daemon: `async with cambist.connect() as c`.

    `address` is a connect string: `unix:///path/to/cambist.sock`, `cambist://127.0.0.1:7177`, or
    what `cambist pair` prints (address, the daemon's key and a token).
    Without one, `$CAMBIST_CONNECT` is used, then the socket of the live profile, then that of the
    sandbox, in `$CAMBIST_HOME` or `~/.cambist`. `profile` asks for one of the two, so that a bot
    for "live" never meets a sandbox, or the other way round.

    Seconds: a call has `timeout` for all its attempts; a stream waits `patience` for a daemon that
    went away; `wait` is how long to wait here for a daemon to listen. Raises `NoDaemon`,
    `IncompatibleDaemon`, or another `cambist.Error`.
    """
    return Connecting(address, profile, timeout, patience, wait)


__all__ = ["API", "Client", "Connecting", "Error", "connect"]
