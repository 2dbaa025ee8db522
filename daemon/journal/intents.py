"""At most one effect per request id: every mutation of the contract goes through `run`.

A request id is journaled (with a digest of the request's body) ahead of whatever its handler
journals, and the answer is journaled before it is given. So the same request gets the same answer,
before and after a crash, and the same id with another body is refused.

What a handler's end means:
- it returns: the answer, for good;
- Rejected: the answer too, an error, for good;
- Refused: nothing left the process; the id is forgotten and may be tried again;
- anything else: not known; the same request runs the handler again. So does a Refused of a request
  that was begun before, if its reason is of a kind that stands in the way of looking (the keys are
  locked, the account is not open): then "nothing was sent" is more than anybody knows.

So a handler may run again for a request whose effect is there already, after a crash above all: it
looks for the effect by the request id first, and makes it only where there is proof of none.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import structlog

from core.clock import SECOND
from core.errors import CambistError, Reason, Refused, Rejected, Unconfirmed
from core.steps import step
from daemon.journal.store import IntentGone, IntentRow, IntentsBefore
from daemon.journal.values import pack, unpack

if TYPE_CHECKING:
    from daemon.journal.journal import Journal

Handler = Callable[[], Awaitable[bytes]]

RETENTION = 7 * 24 * 3600  # seconds that a request id is remembered, at least
_PRUNE_EVERY = 3600
_REMEMBERED = 4096  # answers in memory
_LARGEST = 65_536  # bytes of an answer that is kept in memory
_log = structlog.get_logger("intents")

# Whether the request that is being handled was begun before, so that it may have its effect.
RESUMED: ContextVar[bool] = ContextVar("resumed", default=False)
# What keeps a handler from looking whether there is an effect.
_IN_THE_WAY = frozenset(
    {
        Reason.SECRETS_LOCKED,
        Reason.WALLETS_LOCKED,
        Reason.STARTING_UP,
        Reason.SHUTTING_DOWN,
        Reason.JOURNAL_UNAVAILABLE,
        Reason.ACCOUNT_NOT_FOUND,
        Reason.VENUE_NOT_FOUND,
        Reason.NETWORK_NOT_FOUND,
        Reason.VENUE_UNAVAILABLE,
        Reason.NODE_UNAVAILABLE,
    }
)


@dataclass(frozen=True, slots=True)
class _Failure:
    """A Rejected, to be raised again."""

    reason: str
    message: str
    metadata: dict[str, str]


@dataclass(slots=True)
class _Running:
    """A request that is being handled now; those who repeat it wait for the same task."""

    method: str
    digest: bytes
    task: asyncio.Task[bytes]


class Intents:
    """The request ids of all mutations."""

    def __init__(self, journal: "Journal", *, retention: int = RETENTION) -> None:
        self._journal = journal
        self.kept_seconds = retention
        self._retention = retention * SECOND
        self._running: dict[str, _Running] = {}
        self._answers: OrderedDict[str, IntentRow] = OrderedDict()
        self._pruner: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Forgets what is too old, now and every hour."""
        self.prune()
        self._pruner = asyncio.create_task(self._prune_hourly(), name="intents-prune")

    async def close(self) -> None:
        """Stops. Handlers that still run are left to end, or to be resumed after the restart."""
        if self._pruner is not None:
            self._pruner.cancel()
        tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def prune(self) -> None:
        """Forgets what is older than the retention; tried again later if the journal is broken."""
        before = self._journal.clock.now() - self._retention
        if self._journal.available:
            self._journal.append(IntentsBefore(before))
        while self._answers and next(iter(self._answers.values())).time < before:
            self._answers.popitem(last=False)

    async def _prune_hourly(self) -> None:
        while True:
            await asyncio.sleep(_PRUNE_EVERY)
            self.prune()

    async def run(
        self,
        method: str,
        request_id: str,
        body: bytes,
        handler: Handler,
        harmless: bool = False,
    ) -> bytes:
        """The answer to a request: that of the handler, or the first one that it gave.

        `harmless`: it may have its effect twice, and must go on while the journal is broken; then
        nothing of it is remembered.

        `body` is the request serialized deterministically, without anything that may differ
        between two tries. Raises what the handler raises, or raised at first;
        Refused(REQUEST_ID_REUSED) when the id stands for something else, and
        Refused(JOURNAL_UNAVAILABLE) when that cannot be looked up. A caller that goes away does
        not stop the handler.
        """
        digest = hashlib.sha256(body).digest()
        running = self._running.get(request_id)
        if running is None:
            if harmless and not self._journal.available:
                work = handler()
            else:
                work = self._run(method, request_id, digest, handler)
            task = asyncio.ensure_future(work)
            running = self._running[request_id] = _Running(method, digest, task)
            task.add_done_callback(lambda task: self._ended(request_id, task))
        _same(request_id, method, digest, running.method, running.digest)
        return await asyncio.shield(running.task)

    def _ended(self, request_id: str, task: asyncio.Task[bytes]) -> None:
        del self._running[request_id]
        if not task.cancelled():
            task.exception()  # whoever waits has it; if nobody does, it is in the journal

    async def _run(self, method: str, request_id: str, digest: bytes, handler: Handler) -> bytes:
        known = self._answers.get(request_id)
        if known is None:
            known = await self._journal.look(lambda store: store.intent(request_id))
        if known is not None:
            _same(request_id, method, digest, known.method, known.digest)
            if known.state != "begun":
                self._remember(known)
                return _answer(known)
        resume = known is not None
        RESUMED.set(resume)  # in this request's own task
        now = self._journal.clock.now()
        if not resume:
            begun = IntentRow(request_id, method, digest, "begun", b"", now)
            # Not awaited: the handler's own first record stands behind it in the queue, and takes
            # it along.
            self._journal.append(begun, hurry=False)
            self._remember(begun)
        try:
            done = IntentRow(request_id, method, digest, "done", await handler(), now)
        except Refused as error:
            if not resume:
                self._forget(request_id)
            elif error.reason in _IN_THE_WAY:  # something may have left the process
                words = error.message, error.metadata, error.retry_after
                raise Unconfirmed(error.reason, *words) from error
            raise
        except Rejected as error:
            failure = pack(_Failure(error.reason.value, error.message, error.metadata))
            await self._keep(IntentRow(request_id, method, digest, "failed", failure, now))
            raise
        await self._keep(done)
        return done.answer

    async def _keep(self, row: IntentRow) -> None:
        self._remember(row)
        try:
            with step("journal.answer"):
                await self._journal.append(row, fact=True)
        except Refused as error:
            # It is queued, or the request will be resumed; the caller gets the truth now.
            _log.warning("answer_not_durable_yet", request_id=row.request_id, why=error.message)

    def _forget(self, request_id: str) -> None:
        self._answers.pop(request_id, None)
        if self._journal.has_room:  # else, after a crash, the handler finds out that there is none
            self._journal.append(IntentGone(request_id), fact=True)

    def _remember(self, row: IntentRow) -> None:
        self._answers.pop(row.request_id, None)
        if len(row.answer) <= _LARGEST:
            self._answers[row.request_id] = row
            if len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)


def _same(request_id: str, method: str, digest: bytes, known: str, known_digest: bytes) -> None:
    if (method, digest) != (known, known_digest):
        raise Refused(
            Reason.REQUEST_ID_REUSED,
            f"request_id {request_id!r} was used for another {known}: take a new one",
            {"request_id": request_id},
        )


def _answer(row: IntentRow) -> bytes:
    if row.state == "done":
        return row.answer
    try:
        failure = unpack(row.answer, _Failure)
        reason = Reason(failure.reason)
    except (msgspec.DecodeError, ValueError) as error:
        raise CambistError(Reason.INTERNAL, "the stored answer cannot be read") from error
    raise Rejected(reason, failure.message, failure.metadata)
