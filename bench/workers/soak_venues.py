"""Local servers for the order book of every exchange, each with frames of its own form at a steady
rate, until the starter is gone. Argument: frames a second for each venue.

Says where they are in one line of JSON; on the word "sent" how many frames each has sent. The
quantity of a frame's first bid is the microsecond (monotonic) at which it was written.
"""

import asyncio
import sys
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import uvloop

from bench.soak import public_calls
from bench.workers.talk import Ears, say
from cex.engine import commands, request
from cex.engine.spec import Moment, Start
from tests.support.cex_fixtures import load, names
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket
from tests.support.order_templates import templates
from tests.support.running_book import RunningBook

_TURN = 0.01  # float: seconds between turns, asyncio's unit


class SoakVenue:
    """One venue: answers what a public side asks, and plays its book to one reader."""

    def __init__(self, name: str, exchange: LocalExchange) -> None:
        self.name = name
        self.sent = 0
        self._venue = load(name)
        self._exchange = exchange
        self._book = RunningBook(self._venue)
        self._book.now = self._rising
        self._clock = 0
        self._reader: Socket | None = None
        self._answers: dict[tuple[str, str], list[tuple[bytes, type[commands.Command[object]]]]]
        self._answers = defaultdict(list)
        spec = self._venue.spec
        for command in public_calls(spec, self._book.instrument):
            operation = spec.operations[type(command)]
            made = request.build(spec, operation, command, self._venue.credentials, Moment(0))
            path = urlsplit(spec.hosts[made.host]).path + made.path
            self._answers[made.method, path].append((made.body, type(command)))
        exchange.otherwise = self._answer
        exchange.on_frame = self._frame

    def turn(self, count: int) -> None:
        """Sends so many frames."""
        if self._reader is None or self._reader.transport is None:
            return
        for _ in range(count):
            self._reader.send(self._book.change(str(time.monotonic_ns() // 1000)))
        self.sent += count

    def _rising(self) -> int:
        self._clock = max(self._clock + 1, time.time_ns() // 1_000_000)
        return self._clock * 1_000_000

    def _frame(self, socket: Socket, payload: bytes) -> None:
        if self._reader is socket or len(payload) < 10:
            return  # a ping, or one more topic of the same book
        self._reader = socket
        self._book.number = 0  # of a connection
        socket.send(*self._book.opening())

    def _answer(self, seen: Seen) -> Answer:
        known = self._answers[seen.method, seen.path]
        kinds = [kind for body, kind in known if body == seen.body] or [kind for _, kind in known]
        made = templates(self.name)
        if not kinds:
            return Answer(b"{}", 404)
        if kinds[0] is commands.ServerTime:
            return Answer(made.time(time.time_ns()))
        if kinds[0] is commands.GetBook and self._book.start is Start.REST:
            return Answer(self._book.snapshot())
        body = made.plain(kinds[0]()).decode()
        head, scheme, rest = body.partition("wss://")
        host = rest.partition('"')[0].partition("/")[0]
        return Answer(
            (f"{head}{self._exchange.ws}{rest[len(host) :]}" if scheme else body).encode()
        )


async def play(venues: list[SoakVenue], rate: int) -> None:
    """Each at the rate. What is a second late is left out: a busy machine is not to be flooded
    afterwards."""
    began, done = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - began) * rate)
        if due - done > rate:
            began, done = time.monotonic(), 0
            due = 0
        for venue in venues:
            venue.turn(due - done)
            await asyncio.sleep(0)
        done = max(done, due)
        await asyncio.sleep(_TURN)


async def main(rate: int) -> None:
    """Serves."""
    async with AsyncExitStack() as stack:
        venues = []
        hosts = {}
        for name in names():
            exchange = await stack.enter_async_context(LocalExchange())
            exchange.requests = _Forgetful()
            venues.append(SoakVenue(name, exchange))
            hosts[name] = {
                where: (exchange.ws if url.startswith("ws") else exchange.http) + urlsplit(url).path
                for where, url in load(name).spec.hosts.items()
            }
        ears = await Ears().open()
        say(hosts)
        playing = asyncio.create_task(play(venues, rate))
        try:
            while True:
                await ears.word()
                assert not playing.done(), playing.exception()
                say({venue.name: venue.sent for venue in venues})
        finally:
            playing.cancel()


class _Forgetful(list[Seen]):
    """Hours of requests need not be remembered."""

    def append(self, seen: Seen) -> None:
        """Forgets it."""


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
