"""What gRPC's own tools ask for: health and reflection. What nobody knows is told so here as well.

https://github.com/grpc/grpc/blob/master/doc/health-checking.md and
https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from grpc_health.v1 import health_pb2 as health
from grpc_reflection.v1alpha import reflection_pb2

from daemon.wire.call import Call, CallFailed, Dialogue, Endpoint, Status, Stream, Unary

HEALTH = "grpc.health.v1.Health"
# The second has the messages of the first under another name.
REFLECTION = ("grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection")
_States = health.HealthCheckResponse


class Health:
    """Which services serve; "" is the daemon as a whole."""

    def __init__(self) -> None:
        self._serving: dict[str, bool] = {}
        self._changed = asyncio.Event()
        self._stopped = False

    def tell(self, serving: Mapping[str, bool]) -> None:
        """What is so from now on, but for a daemon that stops: then nothing serves."""
        self._serving |= serving
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def stop(self) -> None:
        """Nothing serves any more."""
        self._stopped = True
        self.tell({})

    def endpoints(self) -> dict[str, Endpoint]:
        """By path."""
        return {
            f"/{HEALTH}/Check": Unary(self._check),
            f"/{HEALTH}/List": Unary(self._list),
            f"/{HEALTH}/Watch": Stream(self._watch),
        }

    def _state(self, name: str) -> health.HealthCheckResponse | None:
        serving = self._serving.get(name)
        if serving is None:
            return None
        good = serving and not self._stopped
        return _States(status=_States.SERVING if good else _States.NOT_SERVING)

    async def _check(self, raw: bytes, call: Call) -> bytes:
        name = _asked(raw)
        state = self._state(name)
        if state is None:
            raise CallFailed(Status.NOT_FOUND, f"no service {name!r}")
        return bytes(state.SerializeToString())

    async def _list(self, raw: bytes, call: Call) -> bytes:
        states = {name: self._state(name) for name in self._serving}
        return bytes(health.HealthListResponse(statuses=states).SerializeToString())

    async def _watch(self, raw: bytes, call: Call) -> None:
        name, last = _asked(raw), None
        while True:
            changed = self._changed
            state = self._state(name) or _States(status=_States.SERVICE_UNKNOWN)
            if state != last:
                last = state
                await call.send(state.SerializeToString())
            await changed.wait()


def _asked(raw: bytes) -> str:
    try:
        return str(health.HealthCheckRequest.FromString(raw).service)
    except ValueError:  # DecodeError is one
        raise CallFailed(Status.INVALID_ARGUMENT, "no HealthCheckRequest") from None


def reflection_endpoints(services: Sequence[str]) -> dict[str, Endpoint]:
    """Lets tools such as grpcurl see the contract."""

    async def answer(call: Call) -> None:
        # Imported when somebody asks: it brings gRPC's own server along.
        from grpc_reflection.v1alpha.reflection import aio

        async def asked() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
            async for raw in call.messages():
                try:
                    request = reflection_pb2.ServerReflectionRequest.FromString(raw)
                except ValueError:
                    raise CallFailed(
                        Status.INVALID_ARGUMENT, "no ServerReflectionRequest"
                    ) from None
                # The library finds services, and not their methods.
                service, _, _ = request.file_containing_symbol.rpartition(".")
                if service in services:
                    request.file_containing_symbol = service
                yield request

        servicer = aio.ReflectionServicer(service_names=(*services, HEALTH, *REFLECTION))
        async for told in servicer.ServerReflectionInfo(asked(), None):
            await call.send(told.SerializeToString())

    return {f"/{name}/ServerReflectionInfo": Dialogue(answer) for name in REFLECTION}


def unknown(path: str) -> Endpoint:
    """For methods that do not exist."""

    async def refuse(raw: bytes, call: Call) -> bytes:
        raise CallFailed(Status.UNIMPLEMENTED, f"no method {path}: see the contract in proto/")

    return Unary(refuse)
