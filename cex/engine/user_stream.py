"""An account's private stream: logged in, watched, and its reports told to the daemon."""

from collections.abc import Callable, Sequence
from typing import Any

from cex.engine import outcome, wire
from cex.engine.asking import Asking
from cex.engine.commands import Command
from cex.engine.condition import Conditions
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.engine.messages import Ask, Restart
from cex.engine.spec import Failure, PrivateSpec, Session
from cex.engine.websocket import Connection, FrameRefused
from core.clock import SECOND, Clock
from core.errors import CambistError, Reason
from core.ports import AccountReport, Health, StreamState

_QUIET_FAULTS = 5 * SECOND  # reconciling again for every bad frame of a flood helps nobody


class Joined:
    """Tells reports of several connections as of one, which stands when all of them do."""

    def __init__(self, count: int, tell: Callable[[AccountReport], None]) -> None:
        self._down = set(range(count))
        self._tell = tell

    def of(self, number: int) -> Callable[[AccountReport], None]:
        """What one of the connections tells."""

        def tell(report: AccountReport) -> None:
            if not isinstance(report, StreamState):
                self._tell(report)
                return
            stood = not self._down
            if report.connected:
                self._down.discard(number)
            else:
                self._down.add(number)
            if stood is not (not self._down):
                self._tell(report)

        return tell


class UserStream:
    """The owner of the connection that tells of an account's orders, fills and balances.

    A message that cannot be understood may have been a fill: it is reported as a break of the
    stream, so that the daemon reconciles.
    """

    def __init__(
        self,
        account: str,
        market: ExchangeVenue,
        spec: PrivateSpec,
        credentials: Credentials,
        conditions: Conditions,
        tell: Callable[[AccountReport], None],
        name: str = "stream",
    ) -> None:
        """`name` is that of its part of the conditions."""
        self._name = name
        self._account = account
        self._market = market
        self._spec = spec
        self._credentials = credentials
        self._conditions = conditions
        self._tell = tell
        self._clock: Clock = market.clock
        self._scope = market.scope(account)
        self._id = 0
        self._token = ""  # of this connection, for the frames that need it
        self._told = False  # what was last said: connected or not
        self._faulted = 0
        self._resynchronize = False  # the venue found our time wrong
        self._asking = Asking(self._answers, tell, self._unanswered, spec.ask_pause)
        self.connection = Connection(
            f"{market.spec.id} account {account}",
            spec.stream,
            market.hosts[spec.stream.host],
            self,
            market.clock,
        )

    @property
    def connected(self) -> bool:
        """Whether reports arrive."""
        return self._told

    # -- cex.engine.websocket.Owner ----------------------------------------------------------------

    async def token(self) -> str:
        """Waits until instruments are known, then gets what the stream asks for."""
        await self._market.loaded.wait()
        if self._resynchronize:
            self._market.offset.reset()
            await self._market.caller.synchronize()
            self._resynchronize = False
        await self._market.connecting(self._spec.stream, self._credentials)
        command = self._spec.stream.token
        if command is None:
            return ""
        self._token = await self._market.caller.call(command, self._scope, self._credentials)
        return self._token

    async def keep(self, token: str) -> None:
        """Prolongs a listen key."""
        if self._spec.stream.keep_token is not None:
            command = self._spec.stream.keep_token(token)
            await self._market.caller.call(command, self._scope, self._credentials)

    def session(self, token: str = "") -> Session:
        """Numbers and credentials for a frame."""
        self._id += 1
        moment = self._market.caller.moment()
        return Session(self._id, moment, self._credentials, token or self._token)

    async def opened(self) -> None:
        """The stream stands: subscribe to what the login did not bring along."""
        topics = [topic for topic in self._spec.topics if topic]
        if topics:
            frames = self._spec.stream.subscribe(topics, self.session())
            await self.connection.request(frames)
        self._conditions.set(self._name, Health.READY)
        self._say(True, "")

    def data(self, topic: str, payload: Any, received: int) -> None:
        """One report, or several."""
        parser = self._spec.topics.get(topic) or self._spec.topics.get("")
        try:
            if parser is None:
                raise ValueError(f"unknown topic {topic[:60]!r}")
            for value in parser(payload, self._scope):
                if isinstance(value, Restart):
                    self.connection.restart(value.reason)
                elif isinstance(value, Ask):
                    self._asking.want(value.command)
                else:
                    self._tell(value)
        except wire.MALFORMED as error:
            self.fault("account stream", error)

    def closed(self, reason: str, refused: FrameRefused | None) -> None:
        """No reports arrive."""
        reason = self._credentials.redact(reason)
        if refused is not None:
            rule = outcome.rule_for(self._market.spec, Failure(refused.code, refused.text))
            self._resynchronize = rule.reason is Reason.CLOCK_SKEW
        self._conditions.set(self._name, Health.DOWN, f"account stream: {reason}")
        self._say(False, reason)

    def fault(self, what: str, error: BaseException) -> None:
        """Something was not understood: it counts as missed."""
        self._market.fault(what, error)
        self._conditions.fault("format", wire.protocol_error(self._account, what, error).message)
        now = self._clock.monotonic()
        if self._told and now - self._faulted >= _QUIET_FAULTS:
            self._faulted = now
            self._say(False, f"a message could not be understood: {error}")
            self._say(True, "")

    async def stop(self) -> None:
        """Disconnects."""
        self._asking.stop()
        await self.connection.stop()

    # ----------------------------------------------------------------------------------------------

    async def _answers(self, command: Command[Any]) -> Sequence[AccountReport]:
        return await self._market.caller.pages(command, self._scope, self._credentials)

    def _unanswered(self, error: CambistError) -> None:
        self._conditions.fault("account", error.message)

    def _say(self, connected: bool, reason: str) -> None:
        if connected or self._told:
            self._told = connected
            self._tell(StreamState(self._account, connected, reason))
