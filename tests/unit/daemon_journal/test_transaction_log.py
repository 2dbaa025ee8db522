"""The journal as a core.ports.TransactionLog."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from cambist.v1 import chains_pb2
from cambist.v1 import events_pb2 as pb
from core.clock import ManualClock
from core.errors import Reason, Refused
from core.ports import SignatureLog
from core.transactions import Transaction, TransactionStatus
from daemon.journal import Journal
from tests.support.desks import FrailStore
from tests.support.waiting import until

SIGNED = Transaction(
    network="ethereum_local",
    address="0xa",
    intent="i1",
    purpose="swap",
    hash="0x1",
    raw=bytes(range(256)),
    status=TransactionStatus.SIGNED,
    nonce=7,
    details={"instrument": "WETH-USDC"},
    create_time=5,
    update_time=5,
)


@pytest.fixture
async def store(tmp_path: Path) -> FrailStore:
    return FrailStore(tmp_path / "journal.sqlite")


@pytest.fixture
async def journal(store: FrailStore) -> AsyncIterator[Journal]:
    made = Journal(store, ManualClock(), retry_delay=0.001)
    await made.open()
    made.transactions.account_of = lambda network, address: "trader"
    yield made
    await made.close()


async def told(journal: Journal) -> list[str]:
    rows = await journal.read(lambda store: store.events(0, 1000, "trader"))
    events = [pb.Event.FromString(row.data).transaction for row in rows]
    name = chains_pb2.TransactionStatus.Name
    return [name(one.status).removeprefix("TRANSACTION_STATUS_") for one in events]


async def test_what_was_saved_is_read_back_whole(journal: Journal, store: FrailStore) -> None:
    final = replace(
        SIGNED,
        status=TransactionStatus.FINAL,
        succeeded=True,
        block=12,
        fee=Decimal("0.00001"),
        update_time=9,
    )
    log = journal.transactions
    await log.save(SIGNED)
    assert list(await log.pending("ethereum_local")) == [SIGNED]
    await log.save(final)
    assert list(await log.pending("ethereum_local")) == []
    assert list(await log.by_intent("ethereum_local", "i1")) == [final]
    assert list(await log.by_address("ethereum_local", "0xa", 9)) == [final]
    assert list(await log.by_address("ethereum_local", "0xa", 10)) == []
    assert list(await log.by_intent("solana_local", "i1")) == []
    assert await log.get("ethereum_local", "0x1") == final
    with pytest.raises(Refused) as caught:
        await log.get("ethereum_local", "0x2")
    assert caught.value.reason is Reason.TRANSACTION_NOT_FOUND


async def test_each_change_is_told_once(journal: Journal) -> None:
    log = journal.transactions
    await log.save(SIGNED)
    await log.save(SIGNED)
    await log.save(replace(SIGNED, update_time=6))
    await log.save(replace(SIGNED, status=TransactionStatus.BROADCAST, update_time=7))
    log._last.clear()  # as after a restart
    await log.save(replace(SIGNED, status=TransactionStatus.BROADCAST, update_time=8))
    await log.save(replace(SIGNED, status=TransactionStatus.INCLUDED, block=3, update_time=9))
    assert await told(journal) == ["SIGNED", "BROADCAST", "INCLUDED"]


async def test_the_event_carries_no_signed_bytes(journal: Journal) -> None:
    await journal.transactions.save(SIGNED)
    (row,) = await journal.read(lambda store: store.events(0, 10))
    assert SIGNED.raw not in row.data


async def test_pages_are_newest_first(journal: Journal) -> None:
    log = journal.transactions
    for n in range(5):
        await log.save(replace(SIGNED, hash=f"0x{n}", create_time=n, update_time=n))
    found: list[str] = []
    position = ""
    while True:
        page, position = await log.list(network="ethereum_local", size=2, before=position)
        found += [one.hash for one in page]
        if not position:
            break
    assert found == ["0x4", "0x3", "0x2", "0x1", "0x0"]


async def test_a_new_one_is_not_to_be_sent_without_a_disk(
    journal: Journal, store: FrailStore
) -> None:
    log = journal.transactions
    await log.save(SIGNED)
    store.failing = "the disk is full"
    with pytest.raises(Refused) as caught:
        await log.save(replace(SIGNED, hash="0x2"))
    assert caught.value.reason is Reason.JOURNAL_UNAVAILABLE
    # What happened to one that is known happened: it is kept for later.
    await log.save(replace(SIGNED, status=TransactionStatus.INCLUDED, update_time=9))
    store.failing = ""
    await until(lambda: journal.available)
    assert await told(journal) == ["SIGNED", "INCLUDED"]


async def test_a_signature_is_in_the_log_before_it_is_made(
    journal: Journal, store: FrailStore
) -> None:
    log = journal.transactions
    assert isinstance(log, SignatureLog)
    await log.signing("ethereum_local", "0xa", "i7", "signs a permit", {"permit_units": "5"})
    (row,) = await journal.read(lambda store: store.story("trader", "i7", 10))
    notice = pb.Event.FromString(row.data).account_notice
    assert (notice.account, notice.kind, notice.message) == (
        "trader",
        "signature",
        "signs a permit",
    )
    assert dict(notice.details) == {
        "permit_units": "5",
        "network": "ethereum_local",
        "address": "0xa",
        "intent": "i7",
    }
    store.failing = "the disk is full"
    with pytest.raises(Refused) as caught:
        await log.signing("ethereum_local", "0xa", "i8", "signs a permit", {})
    assert caught.value.reason is Reason.JOURNAL_UNAVAILABLE
