"""What a token allows, as restrictions: Cambist's words on one side, Datalog on the other.

A token is a biscuit (https://doc.biscuitsec.org/reference/datalog): a chain of signed blocks. Every
restriction is a *check*, in whichever block it stands, and all checks must hold: so that a token
with a block more never allows more. The daemon states the facts of a call (see `facts`), and the
checks here are about those facts. A holder may add checks of its own; they are enforced like ours.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from core.clock import SECOND
from core.money import parse, text


@dataclass(frozen=True, slots=True)
class Grant:
    """Empty fields allow all. Amounts are in an order's quote, times in ns since the epoch."""

    permissions: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    venues: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    instruments: frozenset[str] = frozenset()
    source_addresses: frozenset[str] = frozenset()
    max_order_notional: Decimal | None = None
    max_day_notional: Decimal | None = None
    max_slippage: Decimal | None = None
    reduce_only: bool = False
    paper_only: bool = False
    no_withdrawal: bool = False
    expire_time: int | None = None

    def narrowed(self, by: "Grant") -> "Grant":
        """What both allow, for showing; what counts are the checks. Two lists with nothing in
        common allow nothing, which is shown as the one word that nothing is named by."""
        changes: dict[str, Any] = {}
        for name in SETS:
            mine, other = getattr(self, name), getattr(by, name)
            both = mine & other if mine and other else mine | other
            changes[name] = both or (frozenset({NOTHING}) if mine and other else both)
        for name in (*CEILINGS, "expire_time"):
            bounds = [one for one in (getattr(self, name), getattr(by, name)) if one is not None]
            changes[name] = min(bounds, default=None)
        changes |= {name: getattr(self, name) or getattr(by, name) for name in FLAGS}
        return replace(self, **changes)


NOTHING = "(nothing)"
KEY = "root_key"  # the fact that names the key of a token's root, see `tokens.bake`
# Each field with the fact that it is about. A call has one operation and one method; of venues,
# accounts and instruments it may concern several, and every one of them must be allowed.
SETS = {
    "permissions": "operation", "methods": "method", "venues": "venue", "accounts": "account",
    "instruments": "instrument", "source_addresses": "source",
}  # fmt: skip
CEILINGS = {
    "max_order_notional": "order_notional", "max_day_notional": "day_notional",
    "max_slippage": "slippage",
}  # fmt: skip
FLAGS = {
    "reduce_only": "increases(true)", "paper_only": "paper(false)",
    "no_withdrawal": 'operation("transfers:write")',
}  # fmt: skip
_FLAG_WORDS = {
    "reduce_only": "it only reduces positions", "paper_only": "it is for paper accounts only",
    "no_withdrawal": "it sends nothing out of any wallet",
}  # fmt: skip
_PLURALS = {
    "permissions": "permissions", "methods": "calls", "venues": "venues", "accounts": "accounts",
    "instruments": "instruments", "source_addresses": "addresses",
}  # fmt: skip
_ALWAYS_STATED = frozenset({"permissions", "methods"})
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORD = re.compile(r"[A-Za-z0-9_.:@/*-]{1,256}")


def checks(grant: Grant) -> list[str]:
    """The Datalog of a grant, one check a line. ValueError for a word that no name can be."""
    lines = []
    for name, fact in SETS.items():
        words = sorted(getattr(grant, name))
        if not words:
            continue
        if name == "source_addresses":
            networks = " ".join(str(ipaddress.ip_network(word, strict=False)) for word in words)
            lines.append(f'check if source($s), $s.extern::within("{networks}")')
            continue
        listed = ", ".join(f'"{_word(word)}"' for word in words)
        if name in _ALWAYS_STATED:
            lines.append(f"check if {fact}($x), {{{listed}}}.contains($x)")
        else:
            lines.append(f"reject if {fact}($x), !{{{listed}}}.contains($x)")
    for name, fact in CEILINGS.items():
        bound = getattr(grant, name)
        if bound is not None:
            lines.append(f'reject if {fact}($x), $x.extern::above("{text(bound)}")')
    lines += [f"reject if {fact}" for name, fact in FLAGS.items() if getattr(grant, name)]
    if grant.expire_time is not None:
        lines.append(f"check if time($t), $t < {_moment(grant.expire_time)}")
    return lines


def read(source: str) -> tuple[Grant, list[str]]:
    """The grant that a block's checks make, and those of its statements that are not of ours."""
    grant, others = Grant(), []
    for statement in filter(None, (line.strip().rstrip(";") for line in source.splitlines())):
        if statement.startswith(f"{KEY}("):
            continue
        found = _read(statement)
        if found is None:
            others.append(statement)
        else:
            grant = grant.narrowed(found)
    return grant, others


def handed_on(sources: Iterable[str]) -> list[str]:
    """The checks of a token's blocks, for another token that must have them too. ValueError for a
    check that is not of Cambist's making: the library prints strings without escaping them, so that
    a copy of what is printed may mean something else, a fact that satisfies another check, say.
    Those of our making are not copied but written anew."""
    lines = []
    for statement in filter(None, (line.strip() for one in sources for line in one.splitlines())):
        if _KEY_FACT.fullmatch(statement):
            continue
        found = _read(statement.removesuffix(";"))
        if found is None:
            raise ValueError(f"it has a check of its holder's own: {statement[:200]}")
        lines += checks(found)
    return lines


def in_words(statement: str) -> str:
    """What a check demands, for an error; a check of somebody else's as it stands."""
    grant = _read(statement)
    if grant is None:
        return statement
    for name in SETS:
        if words := getattr(grant, name):
            listed = ", ".join(sorted(words))
            # Every call has a permission and an address; a request may leave the others open.
            opens = "" if name in (*_ALWAYS_STATED, "source_addresses") else ": name what you mean"
            return f"it is limited to the {_PLURALS[name]} {listed}{opens}"
    for name, fact in CEILINGS.items():
        if (bound := getattr(grant, name)) is not None:
            return f"its {fact.replace('_', ' ')} is limited to {text(bound)}"
    if grant.expire_time is not None:
        return f"it expired at {_moment(grant.expire_time)}"
    return next(words for name, words in _FLAG_WORDS.items() if getattr(grant, name))


def functions() -> Mapping[str, Callable[..., bool]]:
    """What checks may call as `extern::`. One that fails denies."""
    return {"above": _above, "within": _within}


def _above(value: str, bound: str) -> bool:
    return parse(value) > parse(bound)


def _within(source: str, networks: str) -> bool:
    """Whether an address is in one of the networks; a unix socket is in none."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in networks.split())


_LISTED = re.compile(
    r'(check if|reject if) (\w+)\(\$x\), (!?)\{("[^"]*"(?:, "[^"]*")*)\}\.contains\(\$x\)'
)
_SOURCE = re.compile(r'check if source\(\$s\), \$s\.extern::within\("([^"]*)"\)')
_CEILING = re.compile(r'reject if (\w+)\(\$x\), \$x\.extern::above\("([0-9.]+)"\)')
_FLAG = re.compile(r'reject if (\w+\((?:\w+|"[a-z:]+")\))')
_KEY_FACT = re.compile(rf'{KEY}\("[a-z0-9/]+"\);?')
_EXPIRY = re.compile(r"check if time\(\$t\), \$t < ([0-9TZ:-]+)")


def _read(statement: str) -> Grant | None:
    """A statement's meaning, if it is one that `checks` writes."""
    if found := _LISTED.fullmatch(statement):
        name = _name(SETS, found[2])
        form = ("check if", "") if name in _ALWAYS_STATED else ("reject if", "!")
        if name and (found[1], found[3]) == form:
            return _grant(name, frozenset(re.findall(r'"([^"]*)"', found[4])))
    elif found := _SOURCE.fullmatch(statement):
        return Grant(source_addresses=frozenset(found[1].split()))
    elif found := _CEILING.fullmatch(statement):
        if name := _name(CEILINGS, found[1]):
            return _grant(name, parse(found[2]))
    elif found := _FLAG.fullmatch(statement):
        if name := _name(FLAGS, found[1]):
            return _grant(name, True)
    elif found := _EXPIRY.fullmatch(statement):
        try:
            moment = datetime.strptime(found[1], _TIME).replace(tzinfo=UTC)
        except ValueError:
            return None
        return Grant(expire_time=(moment - _EPOCH) // timedelta(seconds=1) * SECOND)
    return None


def _grant(name: str, value: Any) -> Grant:
    return replace(Grant(), **{name: value})


def _name(table: Mapping[str, str], fact: str) -> str | None:
    return next((name for name, one in table.items() if one == fact), None)


def _word(word: str) -> str:
    if not _WORD.fullmatch(word):
        raise ValueError(f"{word[:80]!r} can be no name of anything here")
    return word


def _moment(time: int) -> str:
    moment = datetime.fromtimestamp(time // SECOND, UTC)
    return moment.strftime(_TIME)
