"""Completion of ids from the running daemon; nothing where none answers quickly."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cambist import Client

# A person waits for the answer.
LONGEST = 1.0  # float: seconds


def _ask(prefix: str, question: "Callable[[Client], Awaitable[list[str]]]") -> list[str]:
    import cambist

    async def ask() -> list[str]:
        async with asyncio.timeout(LONGEST), cambist.connect(timeout=LONGEST) as client:
            return await question(client)

    try:
        found = asyncio.run(ask())
    except (cambist.Error, TimeoutError):
        return []
    return [one for one in found if one.startswith(prefix)]


def venues(incomplete: str) -> list[str]:
    """Venue ids."""

    async def question(client: "Client") -> list[str]:
        return [venue.id for venue in await client.venues.list_venues()]

    return _ask(incomplete, question)


def instruments(ctx: typer.Context, incomplete: str) -> list[str]:
    """Instrument ids of the venue that was typed before."""
    venue = ctx.params.get("venue") or ""

    async def question(client: "Client") -> list[str]:
        return [one.id for one in await client.venues.list_instruments(venue, page_size=1000)]

    return _ask(incomplete, question) if venue else []


def accounts(incomplete: str) -> list[str]:
    """Account ids."""

    async def question(client: "Client") -> list[str]:
        return [account.id for account in await client.accounts.list_accounts()]

    return _ask(incomplete, question)


def networks(incomplete: str) -> list[str]:
    """Network ids."""

    async def question(client: "Client") -> list[str]:
        return [network.id for network in await client.chains.list_networks()]

    return _ask(incomplete, question)


def wallets(incomplete: str) -> list[str]:
    """Wallet names."""

    async def question(client: "Client") -> list[str]:
        return [wallet.name for wallet in await client.wallets.list_wallets()]

    return _ask(incomplete, question)
