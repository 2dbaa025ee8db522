"""Who calls, while a call is being handled."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from core.errors import Reason, Refused
from daemon.access.grant import in_words
from daemon.access.tokens import Fact

OWNER = "owner"  # whoever may open the unix socket: the daemon runs as the same user


@dataclass(frozen=True, slots=True)
class Caller:
    """One call's authority. `facts` are those that the token was held against already."""

    root: str
    source: str = "unix"
    method: str = ""
    facts: tuple[Fact, ...] = ()
    denial: Callable[[tuple[Fact, ...]], str] | None = field(default=None, repr=False)
    checks: tuple[str, ...] = ()  # of the token, as Datalog

    def check(self, *more: Fact) -> None:
        """Raises PERMISSION_DENIED where the token forbids the call with these facts besides: what
        only the handler can know, such as an order's notional."""
        if self.denial is None:
            return
        failed = self.denial((*self.facts, *more))
        if failed:
            raise denied(self.root, self.method, failed)


_DAEMON = Caller(OWNER)  # outside of any call: what the daemon does by itself
CALLER: ContextVar[Caller] = ContextVar("caller", default=_DAEMON)


def denied(root: str, method: str, rule: str) -> Refused:
    """The error that names the check that failed."""
    name = method.rpartition("/")[2]
    return Refused(
        Reason.PERMISSION_DENIED,
        f"this token of {root!r} does not allow {name} so: {in_words(rule)}",
        {"permission": name, "root": root, "rule": rule[:500]},
    )
