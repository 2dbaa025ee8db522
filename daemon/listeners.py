"""Where the daemon listens: a unix socket for its owner, and TCP with TLS and tokens, or without
both on loopback where that was chosen."""

import contextlib
import ipaddress
import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from google.protobuf.descriptor import ServiceDescriptor

from daemon.access.certificates import Certificates
from daemon.config import ConfigError
from daemon.config.model import ServerSettings
from daemon.rpc.dispatcher import MAX_REQUEST, Dispatcher, too_large
from daemon.rpc.standard import Health, reflection_endpoints, unknown
from daemon.wire.server import Server, tls_context

SOCKET = "cambist.sock"
GRACE_SECONDS = 5.0  # float: seconds for running calls to end
# The longest path that fits a socket address on Linux, its final zero not counted.
MAX_SOCKET_PATH = 107


class Listeners:
    """The gRPC server and its addresses; `certificates` are None for plaintext TCP."""

    def __init__(
        self, settings: ServerSettings, data_dir: Path, certificates: Certificates | None
    ) -> None:
        self._settings = settings
        self._certificates = certificates
        self._socket = data_dir / SOCKET
        self._server: Server | None = None
        self._health = Health()
        self._serving: dict[str, bool] = {}  # by the service's name; "" is the daemon as a whole
        self.addresses: list[str] = []

    def connect_string(self, token: str) -> str:
        """Address, fingerprint and token in one line; "" where TCP is off."""
        tcp = next((one for one in self.addresses if one.startswith("cambist://")), "")
        if not tcp or self._certificates is None:
            return tcp
        return f"{tcp}?key={self._certificates.current().fingerprint}&token={token}"

    async def start(
        self, dispatcher: Dispatcher, services: Mapping[ServiceDescriptor, object | None]
    ) -> None:
        """Binds and serves. ConfigError when an address cannot be had."""
        self._serving = {one.full_name: built is not None for one, built in services.items()}
        self._health.tell({"": False})
        endpoints = {
            **dispatcher.endpoints(services),
            **self._health.endpoints(),
            **reflection_endpoints([service.full_name for service in services]),
        }
        server = self._server = Server(endpoints, unknown, MAX_REQUEST, too_large)
        if self._settings.unix_socket:
            await self._bind_unix(server)
        if self._settings.tcp != "off":
            await self._bind_tcp(server, self._settings.tcp)
        if not self.addresses:
            raise ConfigError("server: neither unix_socket nor tcp is on, nobody could connect")

    def ready(self) -> None:
        """Calls are taken from now on: says so to who checks the health of what is built."""
        self._health.tell({**self._serving, "": True})

    async def stop(self) -> None:
        """Lets running calls end, within bounds, and closes the sockets."""
        if self._server is not None:
            self._health.stop()
            await self._server.stop(GRACE_SECONDS)
        with contextlib.suppress(OSError):  # whoever starts next takes it away
            self._socket.unlink()

    async def _bind_unix(self, server: Server) -> None:
        path = str(self._socket)
        if len(path.encode()) > MAX_SOCKET_PATH:
            raise ConfigError(
                f"{path} is too long for a socket (more than {MAX_SOCKET_PATH} bytes): choose a "
                "shorter --data-dir, or set server.unix_socket = false"
            )
        self._socket.unlink(missing_ok=True)  # left by a daemon that was killed; the lock is ours
        await server.listen_unix(self._socket)
        os.chmod(self._socket, 0o600)
        self.addresses.append(f"unix://{path}")

    async def _bind_tcp(self, server: Server, address: str) -> None:
        check_tcp(address, plaintext=self._certificates is None)
        host, _, port = address.rpartition(":")
        tls = None if self._certificates is None else self.tls(self._certificates)
        try:
            bound = await server.listen_tcp(host.strip("[]"), int(port), tls)
        except OSError as error:
            raise ConfigError(
                f"server.tcp: {address} is taken or cannot be had ({error.strerror or error}): "
                "stop what listens there, or choose another with --tcp (--tcp 127.0.0.1:0 takes "
                "any free port, --tcp off none)"
            ) from error
        self.addresses.append(f"cambist://{host}:{bound}")

    def tls(self, certificates: Certificates) -> ssl.SSLContext:
        """Asked for at every handshake: a renewed certificate needs no restart."""
        authorities = None
        if path := self._settings.client_certificates:
            try:
                authorities = Path(path).read_text()
            except (OSError, ValueError) as error:
                raise ConfigError(
                    f"server.client_certificates: {path} cannot be read: {error}"
                ) from error

        def load(context: ssl.SSLContext) -> None:
            key, certificate = certificates.files()
            context.load_cert_chain(certificate, key)
            if authorities is not None:
                context.load_verify_locations(cadata=authorities)
                context.verify_mode = ssl.CERT_REQUIRED

        try:
            return tls_context(load, certificates.due)
        except ssl.SSLError as error:
            raise ConfigError(f"TLS cannot be set up: {error.reason or error}") from error


def check_tcp(address: str, plaintext: bool) -> None:
    """Raises ConfigError for what is no address, and for one in plaintext that others than this
    machine could reach."""
    host, colon, port = address.rpartition(":")
    try:
        parsed = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError:
        parsed = None
    possible = port.isdecimal() and int(port) < 1 << 16
    if not colon or not possible or parsed is None:
        raise ConfigError(
            f"server.tcp: {address!r} must be an address and a port such as 127.0.0.1:7177"
        )
    if plaintext and not parsed.is_loopback:
        raise ConfigError(
            f"server.tcp: {address!r} must be a loopback address such as 127.0.0.1:7177: without "
            'TLS and tokens, nobody else may reach the daemon (server.security = "tls")'
        )
