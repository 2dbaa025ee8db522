"""What a request has sent already, as the journal knows it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from chains.evm.rivals import REQUEST
from core.clock import ManualClock
from core.transactions import Transaction, TransactionStatus
from daemon.earlier import sent_before
from daemon.journal import Journal, SqliteStore

SWAP = Transaction(
    network="ethereum_local",
    address="0xa",
    intent="swap",
    purpose="swap",
    hash="0x1",
    raw=b"\x01",
    status=TransactionStatus.SIGNED,
    nonce=7,
    create_time=5,
    update_time=5,
)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    made = Journal(SqliteStore(tmp_path / "journal.sqlite"), ManualClock())
    await made.open()
    yield made
    await made.close()


async def test_it_is_found_before_its_network_is_up(journal: Journal) -> None:
    """A chain may start after the first requests come: what was signed was signed nevertheless."""
    log = journal.transactions
    assert log.infos == {}
    assert await sent_before(log, "swap", False) is None
    await log.save(SWAP)
    found = await sent_before(log, "swap", False)
    assert found is not None
    assert found.hash == SWAP.hash


async def test_a_replacement_is_found_by_the_request_that_made_it(journal: Journal) -> None:
    log = journal.transactions
    await log.save(SWAP)
    await log.save(replace(SWAP, hash="0x2", details={REQUEST: "hurry"}))
    found = await sent_before(log, "hurry", False)
    assert found is not None
    assert found.hash == "0x2"


async def test_an_approval_alone_is_no_swap(journal: Journal) -> None:
    log = journal.transactions
    await log.save(replace(SWAP, purpose="approve"))
    assert await sent_before(log, "swap", False) is None
    assert await sent_before(log, "swap", True) is not None
