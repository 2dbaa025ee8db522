"""What transactions cost on Solana, prices that are named, lookup tables; and what there is not."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.keypair import Keypair
from solders.system_program import (
    CreateLookupTableParams,
    ExtendLookupTableParams,
    create_lookup_table,
    extend_lookup_table,
)

from chains.solana.instructions import transfer
from chains.solana.plans import Plan
from core.errors import Reason, Refused
from core.ports import Allowing, FeeOptions, Priced, Replaceable
from core.transactions import TransactionStatus
from tests.support.solana import INFO, Lab, lab

pytestmark = pytest.mark.solana
SOL = INFO.native
FEES = FeeOptions()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as made:
        yield made


def somebody() -> str:
    return str(Keypair().pubkey())


async def test_estimates_are_what_the_chain_was_paid_lately(here: Lab) -> None:
    network = here.network()
    assert isinstance(network, Priced)
    quiet = await network.estimate_fees()
    assert [one.strategy for one in quiet] == ["slow", "normal", "fast"]
    assert {one.transfer_fee for one in quiet} == {Decimal("0.000005")}
    assert all(one.priority_price is None and one.base_price is None for one in quiet)
    here.chain.prices.extend((here.chain.slots.block().slot - i, 1_000 * i) for i in range(150))
    slow, normal, fast = await network.estimate_fees()
    assert 0 < slow.unit_price < normal.unit_price < fast.unit_price
    assert fast.unit_price == Decimal(134_000).scaleb(-15)
    # 450 units at 134,000 millionths of a lamport, rounded up, on top of the signature.
    assert fast.transfer_fee == Decimal(5_000 + 61).scaleb(-9)


async def test_a_price_that_is_named_is_paid_and_the_cap_holds(here: Lab) -> None:
    network = here.network()
    price = Decimal("0.000000000001")  # SOL a unit: a thousandth of a lamport
    named = FeeOptions(unit_price=price)
    sent = await network.transfer(here.address, somebody(), SOL, 10**9, "i", named)
    assert sent.details["compute_unit_price"] == "1000"
    for wrong in (Decimal("-1"), Decimal("NaN"), Decimal(10) ** 6):
        options = FeeOptions(unit_price=wrong)
        with pytest.raises(Refused) as refused:
            await network.transfer(here.address, somebody(), SOL, 1, f"{wrong}", options)
        assert refused.value.reason is Reason.FIELD_INVALID
    capped = FeeOptions(unit_price=Decimal("0.000001"), max_fee=Decimal("0.00001"))
    with pytest.raises(Refused) as refused:
        await network.transfer(here.address, somebody(), SOL, 10**9, "capped", capped)
    assert refused.value.reason is Reason.FEE_CAP_EXCEEDED


async def test_what_solana_does_not_have_is_refused_with_the_reason(here: Lab) -> None:
    network = here.network()
    assert isinstance(network, Replaceable)
    assert not isinstance(network, Allowing)
    sent = await network.transfer(here.address, somebody(), SOL, 10**9, "i", FEES)
    for act in (network.speed_up, network.cancel):
        with pytest.raises(Refused) as refused:
            await act(sent.hash, "r", FEES)
        assert refused.value.reason is Reason.UNSUPPORTED_BY_VENUE
        assert "blockhash" in refused.value.message
    for options in (FeeOptions(route="private"), FeeOptions(priority_price=Decimal(1))):
        with pytest.raises(Refused) as refused:
            await network.transfer(here.address, somebody(), SOL, 1, "j", options)
        assert refused.value.reason is Reason.FIELD_INVALID
    assert len(here.log.statuses(sent.hash)) == 2


async def test_a_plan_with_a_lookup_table_fits_where_it_would_not(here: Lab) -> None:
    network, me = here.network(), here.signer.pair.pubkey()
    here.blocks(1)
    [(recent, _)] = here.chain.slots.hashes(1)
    make, table = create_lookup_table(
        CreateLookupTableParams(authority_address=me, payer_address=me, recent_slot=recent)
    )
    receivers = [Keypair().pubkey() for _ in range(40)]

    def extended(part: int) -> Plan:
        step = extend_lookup_table(
            ExtendLookupTableParams(
                lookup_table_address=table,
                authority_address=me,
                payer_address=me,
                new_addresses=receivers[part * 20 : part * 20 + 20],
            )
        )
        steps = (make, step) if part == 0 else (step,)
        return Plan(me, f"table{part}", "table", str(table), steps, {})

    for part in range(2):
        await network.send(extended(part), FEES)
        here.blocks(2)
        await network.poll()
    steps = tuple(transfer(me, to, 10**8) for to in receivers)
    plain = Plan(me, "plain", "many", "", steps, {})
    with pytest.raises(Refused) as refused:
        await network.send(plain, FEES)
    assert "bytes" in refused.value.message
    known = AddressLookupTableAccount(table, receivers)
    short = Plan(me, "short", "many", "", steps, {}, (known,))
    sent = await network.send(short, FEES)
    assert len(sent.raw) < 1232
    here.blocks(40)
    await network.poll()
    done = await network.transaction(sent.hash)
    assert done.status is TransactionStatus.FINAL
    assert {here.lamports(str(to)) for to in receivers} == {10**8}
