"""Waiting for a transaction, or for one that took its place and does the same."""

import asyncio
from collections.abc import Callable

from chains.evm.rivals import INCLUDED, is_twin
from core.errors import CambistError, Reason, Unconfirmed
from core.transactions import Transaction, TransactionStatus

Subscribe = Callable[[Callable[[Transaction], None]], Callable[[], None]]


async def wait_included(
    hash: str,
    network: str,
    find: Callable[[str], Transaction | None],
    twin: Callable[[Transaction], Transaction | None],
    subscribe: Subscribe,
    timeout: float,  # float: seconds
) -> Transaction:
    """Returns once the transaction, or a twin (`twin` finds one), is in a block, or once it has
    ended otherwise. Unconfirmed after `timeout`: it is still followed."""
    current = find(hash)
    if current is None:
        raise CambistError(
            Reason.TRANSACTION_NOT_FOUND,
            f"no transaction of ours is {hash[:80]!r}",
            {"hash": hash[:80], "network": network},
        )
    asked = current
    done: asyncio.Future[Transaction] = asyncio.get_running_loop().create_future()

    def notice(one: Transaction) -> None:
        if done.done() or not (one.hash == hash or is_twin(asked, one)):
            return
        if one.status in INCLUDED:
            done.set_result(one)
        elif one.is_final and one.hash == hash:
            same = twin(one) if one.status is TransactionStatus.REPLACED else None
            if same is None or same.is_final or same.status in INCLUDED:
                done.set_result(same or one)

    unsubscribe = subscribe(notice)
    notice(current)
    try:
        async with asyncio.timeout(timeout):
            return await done
    except TimeoutError as error:
        raise Unconfirmed(
            Reason.OUTCOME_UNKNOWN,
            f"transaction {hash} was not included within {timeout} s; it is still followed",
            {"hash": hash, "network": network},
        ) from error
    finally:
        unsubscribe()
