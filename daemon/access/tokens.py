"""Tokens: made from a root, narrowed by whoever holds them, held against the facts of a call."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from core.clock import SECOND
from core.errors import Reason, Refused
from daemon.access.grant import KEY, Grant, checks, functions, read
from daemon.access.roots import Root, Roots

if TYPE_CHECKING:
    from biscuit_auth import Biscuit

MAX_LENGTH = 8192  # characters of a token
_REMEMBERED = 4096
_NEVER = 2**63
_LONGEST = timedelta(milliseconds=500)

Fact = tuple[str, str | bool]


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a token says. `others` are checks that are not of Cambist's making, as Datalog."""

    root: Root
    grant: Grant
    others: tuple[str, ...]


def bake(root: Root, grant: Grant, also: Iterable[str] = ()) -> str:
    """A new token. `also` are checks that it must have besides: those of whoever asks for it."""
    from biscuit_auth import BiscuitBuilder, PrivateKey

    # The library narrows only what it has verified, so a token brings its root's key along. That
    # is for its holder; here it is verified with the key that we know.
    builder = BiscuitBuilder(_code([f'{KEY}("{root.public_key}")', *also, *checks(grant)]))
    builder.set_root_key_id(root.id)
    return builder.build(PrivateKey(root.private_key)).to_base64()


def attenuate(token: str, grant: Grant) -> str:
    """The same token with a block more; needs no key and no daemon. ValueError for no token."""
    from biscuit_auth import (
        Biscuit,
        BiscuitValidationError,
        BlockBuilder,
        PublicKey,
        UnverifiedBiscuit,
    )

    try:
        source = UnverifiedBiscuit.from_base64(token).block_source(0)
        key = source.partition(f'{KEY}("')[2].partition('"')[0]
        parent = Biscuit.from_base64(token, PublicKey(key))
    except (BiscuitValidationError, ValueError) as error:
        raise ValueError(f"this is no token: {error}") from error
    return parent.append(BlockBuilder(_code(checks(grant)))).to_base64()


def unverified(token: str) -> tuple[Grant, tuple[str, ...]]:
    """What a token says of itself, its signatures unseen. ValueError for no token."""
    from biscuit_auth import BiscuitValidationError, UnverifiedBiscuit

    try:
        found = UnverifiedBiscuit.from_base64(token)
    except BiscuitValidationError as error:
        raise ValueError(f"this is no token: {error}") from error
    return _grant(found.block_source(index) for index in range(found.block_count()))


class Keyring:
    """Reads tokens, and remembers those whose signatures it has verified."""

    def __init__(self, roots: Roots) -> None:
        self.roots = roots
        self._verified = lru_cache(maxsize=1024)(self._verify)
        self._granted = lru_cache(maxsize=1024)(lambda token: _grant(sources(self._read(token)[1])))
        self._allowed: dict[tuple[str, tuple[Fact, ...]], int] = {}

    def open(self, token: str) -> "tuple[Root, Biscuit]":
        """A token and its root. UNAUTHENTICATED for one that is forged, foreign or revoked."""
        root, biscuit = self._read(token)
        if root.revoked:
            raise Refused(
                Reason.UNAUTHENTICATED,
                f"the tokens of {root.name} are revoked: ask the owner of the daemon for a new one",
            )
        return root, biscuit

    def denial(self, token: str, now: int, facts: tuple[Fact, ...]) -> str:
        """As `denial`, for a token that `open` has taken; a bot asks for the same again and again,
        so what was allowed is remembered until the token expires."""
        expiry = self._allowed.get((token, facts))
        if expiry is not None and now < expiry:
            return ""
        _, biscuit = self._read(token)
        failed = denial(biscuit, now, facts)
        if not failed:
            grant, others = self._granted(token)
            if not others:  # a holder's own checks may depend on more than these facts
                self._remember((token, facts), grant.expire_time)
        return failed

    def _remember(self, key: tuple[str, tuple[Fact, ...]], expiry: int | None) -> None:
        if len(self._allowed) >= _REMEMBERED:
            self._allowed.clear()
        self._allowed[key] = _NEVER if expiry is None else expiry

    def inspect(self, token: str) -> Inspected:
        """What a token says, of a revoked root too; UNAUTHENTICATED for any other."""
        root, _ = self._read(token)
        return Inspected(root, *self._granted(token))

    def _read(self, token: str) -> "tuple[Root, Biscuit]":
        id, biscuit = self._verified(token)
        root = self.roots.get(id)
        assert root is not None  # verified with its key, and roots are never forgotten
        return root, biscuit

    def _verify(self, token: str) -> "tuple[int, Biscuit]":
        from biscuit_auth import Biscuit, BiscuitValidationError, PublicKey, UnverifiedBiscuit

        try:
            if len(token) > MAX_LENGTH:
                raise BiscuitValidationError("too long")
            root = self.roots.get(UnverifiedBiscuit.from_base64(token).root_key_id() or 0)
            if root is None:
                raise BiscuitValidationError("of another daemon")
            return root.id, Biscuit.from_base64(token, PublicKey(root.public_key))
        except BiscuitValidationError as error:
            raise Refused(
                Reason.UNAUTHENTICATED,
                "this is no token of this daemon: 'cambist pair' makes a connect string with one",
            ) from error


def sources(biscuit: "Biscuit") -> list[str]:
    """The Datalog of each block."""
    return [biscuit.block_source(index) or "" for index in range(biscuit.block_count())]


def denial(biscuit: "Biscuit", now: int, facts: Iterable[Fact]) -> str:
    """The check that fails for these facts, as Datalog; "" where all hold. `now` in ns."""
    from biscuit_auth import AuthorizationError, AuthorizerBuilder

    terms: dict[str, object] = {"now": datetime.fromtimestamp(now // SECOND, UTC)}
    code = ["time({now});"]
    for number, (name, value) in enumerate(facts):
        terms[f"v{number}"] = value
        code.append(f"{name}({{v{number}}});")
    # Its type stubs are behind its code.
    builder: Any = AuthorizerBuilder(f"{' '.join(code)} allow if true;", terms)
    builder.register_extern_funcs(functions())
    # A holder's own checks may be anything, so what they may cost is bounded; generously in time,
    # because a busy machine must not deny what a token allows.
    limits = builder.limits()
    limits.max_time = _LONGEST
    builder.set_limits(limits)
    try:
        builder.build(biscuit).authorize()
    except AuthorizationError as error:
        return str(error).rpartition(" in block n°")[2].partition(": ")[2] or str(error)
    return ""


def _code(lines: Iterable[str]) -> str:
    return "".join(f"{line};\n" for line in dict.fromkeys(lines))


def _grant(blocks: Iterable[str | None]) -> tuple[Grant, tuple[str, ...]]:
    grant, others = Grant(), []
    for source in blocks:
        one, more = read(source or "")
        grant = grant.narrowed(one)
        others += more
    return grant, tuple(others)
