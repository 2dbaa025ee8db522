"""Commands over a websocket: which go there, how they are written, and what their answer proves.

A socket saves an HTTP exchange's time. What was sent and not answered is as unknown as a reply that
was lost; what was not sent goes by REST.
"""

from collections.abc import Callable, Mapping
from typing import Any

from cex.engine.commands import Command
from cex.engine.condition import Conditions
from cex.engine.credentials import Credentials
from cex.engine.http import NotSentError, Reply
from cex.engine.market import ExchangeVenue
from cex.engine.spec import Operation, OrderEntry, Session, StreamSpec
from cex.engine.websocket import Connection, FrameRefused
from core.ports import Health

Operations = Mapping[type[Command[Any]], Operation[Any, Any]]


class OrderLine:
    """A socket that takes commands of one account."""

    def __init__(
        self,
        entry: OrderEntry,
        operations: Operations,
        connection: Connection,
        session: Callable[[], Session],
    ) -> None:
        """`operations` are those of REST."""
        self._entry = entry
        self._operations = {**operations, **entry.operations}
        self._connection = connection
        self._session = session

    def operation(self, command: Command[Any]) -> Operation[Any, Any] | None:
        """How the answer to a command is read here; None when it cannot go here now."""
        if type(command) not in self._entry.words or not self._connection.live:
            return None
        return self._operations[type(command)]

    async def send(
        self, operation: Operation[Any, Any], command: Command[Any]
    ) -> tuple[Reply, Mapping[str, int]]:
        """The reply, and the use of the rate limits that came with it.

        Raises NotSentError when nothing left, LostError when no answer came, and ValueError when
        the key cannot sign.
        """
        word = self._entry.words[type(command)]
        frame = self._entry.write(word, command, operation.params(command), self._session())
        if frame is None:
            raise NotSentError("not over the socket")
        answer = await self._connection.call(frame)
        return Reply(answer.status, answer.headers, answer.body), answer.used


class EntryStream:
    """The owner of a connection that carries commands only."""

    def __init__(
        self,
        account: str,
        market: ExchangeVenue,
        stream: StreamSpec,
        credentials: Credentials,
        conditions: Conditions,
    ) -> None:
        self._market = market
        self._stream = stream
        self._scope = market.scope(account)
        self._credentials = credentials
        self._conditions = conditions
        self._id = 0
        self._token = ""
        self.connection = Connection(
            f"{market.spec.id} orders of {account}",
            stream,
            market.hosts[stream.host],
            self,
            market.clock,
        )

    # -- cex.engine.websocket.Owner ----------------------------------------------------------------

    async def token(self) -> str:
        """Waits until instruments are known, then gets what the stream asks for."""
        await self._market.loaded.wait()
        await self._market.connecting(self._stream, self._credentials)
        if self._stream.token is not None:
            self._token = await self._market.caller.call(
                self._stream.token, self._scope, self._credentials
            )
        return self._token

    async def keep(self, token: str) -> None:
        """Prolongs the token's life."""
        if self._stream.keep_token is not None:
            command = self._stream.keep_token(token)
            await self._market.caller.call(command, self._scope, self._credentials)

    def session(self, token: str = "") -> Session:
        """Numbers and credentials for a frame."""
        self._id += 1
        moment = self._market.caller.moment()
        return Session(self._id, moment, self._credentials, token or self._token)

    async def opened(self) -> None:
        """Logged in: commands may go here."""
        self._conditions.clear("order entry")

    def data(self, topic: str, payload: Any, received: int) -> None:
        """Nothing is subscribed to here."""

    def closed(self, reason: str, refused: FrameRefused | None) -> None:
        """Commands go by REST."""
        self._conditions.set(
            "order entry",
            Health.DEGRADED,
            f"orders go by REST: {self._credentials.redact(reason)}",
        )

    def fault(self, what: str, error: BaseException) -> None:
        """Something was not understood. What was asked counts as unanswered."""
        self._market.fault(what, error)
