"""A narrowed token never allows what its parent does not; what is read is what was written."""

from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest
from biscuit_auth import Biscuit, BlockBuilder, PublicKey, UnverifiedBiscuit
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import SECOND, ManualClock
from daemon.access.grant import Grant, checks, handed_on, read
from daemon.access.roots import Roots
from daemon.access.tokens import Fact, Keyring, attenuate, bake, denial

CLOCK = ManualClock()
NAMES = st.sampled_from(["binance", "okx", "uniswap_v2@ethereum", "*"])
SETS = st.frozensets(NAMES, max_size=3)
AMOUNTS = st.decimals(min_value=0, max_value=10**12, places=18)
SOURCES = st.frozensets(
    st.sampled_from(["127.0.0.0/8", "10.1.2.3/32", "2001:db8::/32"]), max_size=2
)
TIMES = st.integers(-5, 5).map(lambda seconds: CLOCK.now() + seconds * SECOND)
GRANTS = st.builds(
    Grant,
    permissions=st.frozensets(st.sampled_from(["orders:write", "market:read"]), max_size=2),
    methods=st.frozensets(st.sampled_from(["cambist.v1.A/B", "cambist.v1.A/C"]), max_size=2),
    venues=SETS,
    accounts=SETS,
    instruments=SETS,
    source_addresses=SOURCES,
    max_order_notional=st.none() | AMOUNTS,
    max_day_notional=st.none() | AMOUNTS,
    max_slippage=st.none() | st.decimals(min_value=0, max_value=1, places=4),
    reduce_only=st.booleans(),
    paper_only=st.booleans(),
    no_withdrawal=st.booleans(),
    expire_time=st.none() | TIMES,
)
AMOUNT_FACTS = AMOUNTS.map(lambda value: format(value, "f"))


@st.composite
def calls(draw: st.DrawFn) -> list[Fact]:
    """The facts of a call."""
    facts: list[Fact] = [
        ("operation", draw(st.sampled_from(["orders:write", "market:read", "transfers:write"]))),
        ("method", draw(st.sampled_from(["cambist.v1.A/B", "cambist.v1.A/D"]))),
        ("source", draw(st.sampled_from(["127.0.0.1", "10.1.2.3", "8.8.8.8", "unix"]))),
    ]
    for name in ("venue", "account", "instrument"):
        facts += [(name, value) for value in sorted(draw(SETS))]
    for name in ("order_notional", "day_notional", "slippage"):
        facts += [(name, value) for value in draw(st.lists(AMOUNT_FACTS, max_size=1))]
    for name in ("increases", "paper"):
        facts += [(name, value) for value in draw(st.lists(st.booleans(), max_size=1))]
    return facts


def expected(grant: Grant, facts: list[Fact]) -> bool:
    """The same decision without Datalog."""
    said: dict[str, list[str | bool]] = {}
    for name, value in facts:
        said.setdefault(name, []).append(value)

    def within(allowed: frozenset[str], name: str) -> bool:
        return not allowed or all(value in allowed for value in said.get(name, []))

    def below(bound: Decimal | None, name: str) -> bool:
        return bound is None or all(Decimal(str(v)) <= bound for v in said.get(name, []))

    networks = {"127.0.0.1": "127.0.0.0/8", "10.1.2.3": "10.1.2.3/32"}
    source = networks.get(str(said["source"][0]), "")
    return (
        within(grant.permissions, "operation")
        and within(grant.methods, "method")
        and within(grant.venues, "venue")
        and within(grant.accounts, "account")
        and within(grant.instruments, "instrument")
        and (not grant.source_addresses or source in grant.source_addresses)
        and below(grant.max_order_notional, "order_notional")
        and below(grant.max_day_notional, "day_notional")
        and below(grant.max_slippage, "slippage")
        and not (grant.reduce_only and True in said.get("increases", []))
        and not (grant.paper_only and False in said.get("paper", []))
        and not (grant.no_withdrawal and "transfers:write" in said["operation"])
        and (grant.expire_time is None or CLOCK.now() < grant.expire_time)
    )


@given(grant=GRANTS)
def test_what_is_written_is_read(grant: Grant) -> None:
    found, others = read(";\n".join(checks(grant)))
    assert others == []
    assert found == grant


@given(parent=GRANTS, child=GRANTS)
def test_what_a_token_hands_on_is_all_of_it(parent: Grant, child: Grant) -> None:
    token = attenuate(bake(_Memory().take("bot"), parent), child)
    blocks = UnverifiedBiscuit.from_base64(token)
    sources = [blocks.block_source(index) or "" for index in range(blocks.block_count())]
    assert set(handed_on(sources)) == set(checks(parent)) | set(checks(child))


@given(text=st.text(alphabet='"\\\n ;()abc$,{}!:1', max_size=60))
def test_what_a_holder_writes_is_not_handed_on(text: str) -> None:
    token = bake(_Memory().take("bot"), Grant(permissions=frozenset({"access:write"})))
    key = (UnverifiedBiscuit.from_base64(token).block_source(0) or "").split('"')[1]
    whole = Biscuit.from_base64(token, PublicKey(key))
    block = BlockBuilder("check if true or a({text})", {"text": text})
    sources = whole.append(block).block_source(1)
    with pytest.raises(ValueError, match="holder's own"):
        handed_on([sources or ""])


@settings(max_examples=200)
@given(parent=GRANTS, child=GRANTS, facts=calls())
def test_a_narrowed_token_allows_what_both_allow(
    parent: Grant, child: Grant, facts: list[Fact]
) -> None:
    roots = _Memory()
    keys = Keyring(roots)
    token = bake(roots.take("bot"), parent)
    narrower = attenuate(token, child)
    _, whole = keys.open(token)
    _, part = keys.open(narrower)
    allowed = denial(whole, CLOCK.now(), facts) == ""
    narrowed = denial(part, CLOCK.now(), facts) == ""
    assert allowed is expected(parent, facts)
    assert narrowed is (allowed and expected(child, facts))


@given(parent=GRANTS, child=GRANTS)
def test_what_is_shown_of_a_narrowed_token_is_within_both(parent: Grant, child: Grant) -> None:
    shown = parent.narrowed(child)
    assert shown == child.narrowed(parent)
    assert shown.narrowed(parent) == shown
    for field in fields(Grant):
        value = getattr(parent, field.name)
        if isinstance(value, frozenset) and value:
            assert getattr(shown, field.name) <= value | {"(nothing)"}


class _Memory(Roots):
    """Roots that are on no disk."""

    def __init__(self) -> None:
        super().__init__(Path("/nonexistent/roots.json"), CLOCK)

    def save(self) -> None:
        """Nothing to do."""
