"""Decides on every call before it is handled: who calls, and whether that is allowed."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from google.protobuf.message import Message

from core.clock import SECOND, Clock
from core.errors import Reason, Refused
from daemon.access.caller import OWNER, Caller
from daemon.access.roots import Root
from daemon.access.scopes import ALL, Concern, Names, Resolver
from daemon.access.tokens import Fact, Keyring, sources

HEADER = "authorization"
_CENTURY = 3e9  # float: seconds; what timers can hold


class Guard:
    """`trusted`: whether TCP needs no token (the sandbox, or by explicit choice).

    `resolvers` name what a request concerns by an id, a method's name each; `venues_of` and
    `is_paper` know accounts.
    """

    def __init__(
        self,
        keyring: Keyring,
        clock: Clock,
        trusted: bool,
        venues_of: Callable[[str], Iterable[str]],
        is_paper: Callable[[str], bool],
    ) -> None:
        self._keyring = keyring
        self._clock = clock
        self._trusted = trusted
        self._venues_of = venues_of
        self._is_paper = is_paper
        self._running: dict[int, set[asyncio.Task[object]]] = {}
        self.resolvers: Mapping[str, Resolver] = {}

    def identity(self, token: str, peer: str) -> str:
        """Whose call it is, for being fair: the root of a token that is good, else the
        connection."""
        if token:
            with suppress(Refused):
                return f"root {self._keyring.open(token)[0].id}"
        return peer

    async def admit(
        self,
        path: str,
        permission: str,
        concern: Concern,
        request: Message,
        token: str,
        source: str,
    ) -> Caller:
        """The caller, if the call is allowed; `source` is its address, or "unix". Raises
        UNAUTHENTICATED or PERMISSION_DENIED."""
        if not token:
            if source != "unix" and not self._trusted:
                raise Refused(
                    Reason.UNAUTHENTICATED,
                    "a token is needed: use the connect string of 'cambist pair', or the unix "
                    "socket",
                )
            return Caller(OWNER, source, path)
        root, biscuit = self._keyring.open(token)
        self._keyring.roots.used(root.id)
        names = concern.names(request)
        resolver = self.resolvers.get(path.rpartition("/")[2])
        if resolver is not None:
            names |= await resolver(request)
        facts: list[Fact] = [("operation", permission), ("method", path), ("source", source)]
        facts += self._stated(names)

        def failed(facts: tuple[Fact, ...]) -> str:
            return self._keyring.denial(token, self._clock.now(), facts)

        caller = Caller(root.name, source, path, tuple(facts), failed, tuple(sources(biscuit)))
        caller.check()
        return caller

    def _stated(self, names: Names) -> Iterator[Fact]:
        accounts = names.get("account", set())
        if names.get("venue") == {ALL} and accounts and ALL not in accounts:
            # All venues of an account that is named are the venues of that account.
            names = {**names, "venue": {v for one in accounts for v in self._venues_of(one)}}
        for scope, found in names.items():
            yield from ((scope, name) for name in sorted(found))
        if accounts:
            yield "paper", all(self._is_paper(account) for account in accounts)

    @contextmanager
    def watch(self, token: str) -> Iterator[None]:
        """While a stream runs: it is cancelled when its token expires or its root is revoked."""
        task = asyncio.current_task()
        if not token or task is None:
            yield
            return
        seen = self._keyring.inspect(token)
        running = self._running.setdefault(seen.root.id, set())
        running.add(task)
        timer, expired = None, False

        def expire() -> None:
            # Said by the timer and not by the clock, which may have been set meanwhile.
            nonlocal expired
            expired = True
            task.cancel()

        if seen.grant.expire_time is not None:
            left = max(0, seen.grant.expire_time - self._clock.now())
            seconds = min(left / SECOND, _CENTURY)  # float: asyncio timers are in seconds
            timer = asyncio.get_running_loop().call_later(seconds, expire)
        try:
            yield
        except asyncio.CancelledError:
            root = self._keyring.roots.get(seen.root.id)
            if expired or root is None or root.revoked:
                task.uncancel()
                words = "the token has expired" if expired else "the token is revoked"
                raise Refused(Reason.UNAUTHENTICATED, f"{words}: the stream ends here") from None
            raise
        finally:
            running.discard(task)
            if timer is not None:
                timer.cancel()

    def end(self, root: Root) -> None:
        """Ends the streams of a root that was revoked."""
        for task in self._running.get(root.id, ()):
            task.cancel()
