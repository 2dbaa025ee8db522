"""Halts: nothing new goes out, or only what lowers exposure; cancels always pass."""

from collections.abc import Callable, Iterable, Iterator

from core.clock import Clock
from core.errors import Reason, Refused
from daemon.access.caller import CALLER, OWNER
from daemon.risk.scope import Scope
from daemon.risk.state import Halt

MOST = 1000  # by bots; the owner's are taken in any case


class Halts:
    """Those in force. `keep` makes them durable before anybody is told; `name` numbers them."""

    def __init__(
        self,
        halts: Iterable[Halt],
        clock: Clock,
        keep: Callable[[], None],
        name: Callable[[str], str],
    ) -> None:
        self._halts = {one.id: one for one in halts}
        self._clock = clock
        self._keep = keep
        self._name = name

    def __iter__(self) -> Iterator[Halt]:
        return iter(tuple(self._halts.values()))

    def get(self, id: str) -> Halt | None:
        """One in force."""
        return self._halts.get(id)

    def add(self, scope: Scope, reduce: bool, reason: str) -> Halt:
        """In force when it returns, and after a restart. One that is the same already stays."""
        for one in self._halts.values():
            if (one.scope, one.reduce) == (scope, reduce):
                self._keep_in_force(one)  # the first time it may have failed
                return one
        if len(self._halts) >= MOST and CALLER.get().root != OWNER:
            raise Refused(
                Reason.RATE_LIMITED,
                f"{MOST} halts are in force: 'cambist halt --list' shows them, one that concerns "
                "more stands for many",
            )
        halt = Halt(self._name("h"), scope, reduce, reason, self._clock.now())
        self._halts[halt.id] = halt
        self._keep_in_force(halt)
        return halt

    def _keep_in_force(self, halt: Halt) -> None:
        try:
            self._keep()
        except Refused as error:
            words = f"{halt.id} is in force, but not kept for after a restart yet: {error.message}"
            raise Refused(error.reason, words, {"halt": halt.id}) from error

    def end(self, id: str) -> Halt:
        """Raises HALT_NOT_FOUND."""
        halt = self._halts.pop(id, None)
        if halt is None:
            raise Refused(
                Reason.HALT_NOT_FOUND,
                f"no halt {id!r} is in force: 'cambist halt --list' shows them",
                {"halt": id},
            )
        try:
            self._keep()
        except Refused:
            self._halts[id] = halt
            raise
        return halt

    def check(
        self, reduces: bool, venue: str, account: str, instrument: str, token_root: str
    ) -> None:
        """Raises HALTED where one stands in the way."""
        for halt in self._halts.values():
            if halt.reduce and reduces:
                continue
            if halt.scope.covers(venue, account, instrument, token_root):
                mode = "only what lowers exposure passes" if halt.reduce else "cancels pass"
                why = f" ({halt.reason})" if halt.reason else ""
                raise Refused(
                    Reason.HALTED,
                    f"trading is halted for {halt.scope}{why}: {mode}; "
                    f"'cambist resume {halt.id}' ends it",
                    {
                        "halt": halt.id,
                        "scope": str(halt.scope),
                        "mode": "reduce" if halt.reduce else "all",
                    },
                )
