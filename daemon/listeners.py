"""Where the daemon listens: a unix socket for its owner, and TCP with TLS and tokens, or without
both on loopback where that was chosen."""

import contextlib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from daemon.access.certificates import Certificates
from daemon.config import ConfigError
from daemon.config.model import ServerSettings
from daemon.rpc.pace import Pace
from daemon.rpc.server import Dispatcher, Strangers, new_server

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
        self._server: grpc.aio.Server | None = None
        self._health = health.aio.HealthServicer()
        self._serving: dict[str, bool] = {}  # by the service's name; "" is the daemon as a whole
        self.addresses: list[str] = []

    def connect_string(self, token: str) -> str:
        """Address, fingerprint and token in one line; "" where TCP is off."""
        tcp = next((one for one in self.addresses if one.startswith("cambist://")), "")
        if not tcp or self._certificates is None:
            return tcp
        return f"{tcp}?key={self._certificates.current().fingerprint}&token={token}"

    async def start(
        self,
        dispatcher: Dispatcher,
        services: Mapping[ServiceDescriptor, object | None],
        pace: Pace,
    ) -> None:
        """Binds and serves. ConfigError when an address cannot be had."""
        paths = [f"/{one.full_name}/{method.name}" for one in services for method in one.methods]
        server = self._server = new_server([Strangers(pace, paths)])
        await self._tell_health("", False)
        self._serving = {one.full_name: built is not None for one, built in services.items()}
        server.add_generic_rpc_handlers(tuple(dispatcher.handlers(services)))
        self._add_standard_services(server, [service.full_name for service in services])
        if self._settings.unix_socket:
            self._bind_unix(server)
        if self._settings.tcp != "off":
            self._bind_tcp(server, self._settings.tcp)
        if not self.addresses:
            raise ConfigError("server: neither unix_socket nor tcp is on, nobody could connect")
        await server.start()
        if self._settings.unix_socket:
            os.chmod(self._socket, 0o600)

    async def ready(self) -> None:
        """Calls are taken from now on: says so to who checks the health of what is built."""
        for name, serving in {**self._serving, "": True}.items():
            await self._tell_health(name, serving)

    async def stop(self) -> None:
        """Lets running calls end, within bounds, and closes the sockets."""
        if self._server is not None:
            await self._health.enter_graceful_shutdown()
            await self._server.stop(GRACE_SECONDS)
        with contextlib.suppress(OSError):  # whoever starts next takes it away
            self._socket.unlink()

    async def _tell_health(self, name: str, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        await self._health.set(name, status.SERVING if serving else status.NOT_SERVING)

    def _bind_unix(self, server: grpc.aio.Server) -> None:
        path = str(self._socket)
        if len(path.encode()) > MAX_SOCKET_PATH:
            raise ConfigError(
                f"{path} is too long for a socket (more than {MAX_SOCKET_PATH} bytes): choose a "
                "shorter --data-dir, or set server.unix_socket = false"
            )
        self._socket.unlink(missing_ok=True)  # left by a daemon that was killed; the lock is ours
        server.add_insecure_port(f"unix:{path}")
        self.addresses.append(f"unix://{path}")

    def _bind_tcp(self, server: grpc.aio.Server, address: str) -> None:
        check_tcp(address, plaintext=self._certificates is None)
        try:
            if self._certificates is None:
                bound = server.add_insecure_port(address)
            else:
                bound = server.add_secure_port(address, self._credentials(self._certificates))
        except RuntimeError:
            bound = 0
        if not bound:
            raise ConfigError(
                f"server.tcp: {address} is taken: stop what listens there, or choose another with "
                "--tcp (--tcp 127.0.0.1:0 takes any free port, --tcp off none)"
            )
        self.addresses.append(f"cambist://{address.rpartition(':')[0]}:{bound}")

    def _credentials(self, certificates: Certificates) -> grpc.ServerCredentials:
        """Asked for at every handshake: a renewed certificate needs no restart."""
        authorities = None
        if path := self._settings.client_certificates:
            try:
                authorities = Path(path).read_bytes()
            except OSError as error:
                raise ConfigError(
                    f"server.client_certificates: {path} cannot be read: {error.strerror}"
                ) from error

        def configuration() -> grpc.ServerCertificateConfiguration:
            now = certificates.current()
            pairs = [(now.key, now.certificate)]
            return grpc.ssl_server_certificate_configuration(pairs, root_certificates=authorities)

        def renewed() -> grpc.ServerCertificateConfiguration | None:
            return configuration() if certificates.due() else None

        return grpc.dynamic_ssl_server_credentials(
            configuration(),
            renewed,  # type: ignore[arg-type]  # None means "no change", says its documentation
            require_client_authentication=authorities is not None,
        )

    def _add_standard_services(self, server: grpc.aio.Server, names: list[str]) -> None:
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
        reflection.enable_server_reflection((*names, health_name, reflection.SERVICE_NAME), server)


def check_tcp(address: str, plaintext: bool) -> None:
    """Raises ConfigError for what is no address, and for one in plaintext that others than this
    machine could reach."""
    host, colon, port = address.rpartition(":")
    try:
        parsed = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError:
        parsed = None
    possible = port.isdecimal() and int(port) < 1 << 16  # grpc would take it modulo that
    if not colon or not possible or parsed is None:
        raise ConfigError(
            f"server.tcp: {address!r} must be an address and a port such as 127.0.0.1:7177"
        )
    if plaintext and not parsed.is_loopback:
        raise ConfigError(
            f"server.tcp: {address!r} must be a loopback address such as 127.0.0.1:7177: without "
            'TLS and tokens, nobody else may reach the daemon (server.security = "tls")'
        )
