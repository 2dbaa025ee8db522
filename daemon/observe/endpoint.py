"""GET /metrics on loopback, for Prometheus. Numbers and names only: no secret is ever a label."""

import ipaddress

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from daemon.config import ConfigError


class MetricsEndpoint:
    """One HTTP server; `address` as in the configuration."""

    def __init__(self, address: str, registry: CollectorRegistry) -> None:
        self._address = address
        self._registry = registry
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listens. ConfigError for an address that is taken, or is not of this machine."""
        host, port = parse(self._address)
        app = web.Application()
        app.router.add_get("/metrics", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"server.metrics: {self._address} cannot be had: {error.strerror or error}"
            ) from error
        bound = self._runner.addresses[0]
        self.url = f"http://{host}:{bound[1]}/metrics"

    async def stop(self) -> None:
        """Closes the server."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def parse(address: str) -> tuple[str, int]:
    """Host and port. ConfigError for what is no loopback address: metrics need no token."""
    host, _, port = address.rpartition(":")
    try:
        if not ipaddress.ip_address(host.strip("[]")).is_loopback:
            raise ValueError
        number = int(port)
        if not 0 <= number < 1 << 16:
            raise ValueError
    except ValueError:
        raise ConfigError(
            f"server.metrics: {address!r} must be a loopback address such as 127.0.0.1:7178"
        ) from None
    return host, number
