"""Networks, tokens and transactions."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli import complete
from daemon.cli.arguments import (
    ApprovalName,
    Limit,
    MaxFee,
    Network,
    OnlyNetwork,
    RequestId,
    Route,
    RouteName,
    Speed,
    SpeedName,
    UnitPrice,
    Yes,
)
from daemon.cli.groups import DefaultGroup
from daemon.cli.session import Session, command
from daemon.cli.speech import confirm

if TYPE_CHECKING:
    from cambist import ApprovalMethod, FeeOptions, FeeStrategy, Transaction

Hash = Annotated[str, typer.Argument(metavar="HASH", help="Hash, or Solana's signature.")]
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="The token's address.")]
Wait = Annotated[bool, typer.Option("--wait", help="Until it is in a block.")]

# How often a transaction that is waited for is looked at.
LOOK_EVERY = 0.3  # float: seconds
# After these nothing more happens; INCLUDED is enough for a person to know the outcome.
ENDED = {"included", "final", "reverted", "replaced", "dropped"}


PANEL = "Chains and wallets"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    command(app, "networks", rich_help_panel=PANEL)(networks)
    tokens_group = typer.Typer(help="Tokens of a network.", cls=DefaultGroup)
    command(tokens_group, "list")(tokens)
    command(tokens_group, "add")(add_token)
    command(tokens_group, "remove")(remove_token)
    app.add_typer(tokens_group, name="tokens", rich_help_panel=PANEL)
    transaction_group = typer.Typer(help="One transaction.", cls=DefaultGroup)
    command(transaction_group, "show")(transaction)
    command(transaction_group, "speed-up")(speed_up)
    command(transaction_group, "cancel")(cancel)
    app.add_typer(transaction_group, name="transaction", rich_help_panel=PANEL)
    app.add_typer(transaction_group, name="tx", hidden=True)  # the short word for it
    command(app, "transactions", rich_help_panel=PANEL)(transactions)
    command(app, "gas", rich_help_panel=PANEL)(gas)


async def networks(
    session: Session,
    network: Annotated[
        str,
        typer.Argument(
            metavar="[NETWORK]", help="Only this one.", autocompletion=complete.networks
        ),
    ] = "",
) -> None:
    """Networks and how they are now."""
    chains = session.client.chains
    if network:
        session.one(await chains.get_network(network))
    else:
        session.rows("Network", await chains.list_networks(), "no network is configured")


async def tokens(
    session: Session,
    network: Network,
    token: Annotated[str, typer.Argument(metavar="[TOKEN]", help="Address or symbol.")] = "",
) -> None:
    """The tokens known on a network; or one, looked up on chain by its address."""
    chains = session.client.chains
    if token:
        session.one(await chains.get_token(network, token))
    else:
        session.rows("Token", await chains.list_tokens(network), "no token is known")


async def add_token(
    session: Session, network: Network, address: Address, request_id: RequestId = ""
) -> None:
    """Add a token to the known ones, with what the chain says of it."""
    chains = session.client.chains
    session.one(await chains.add_token(network, address, request_id=request_id or None))


async def remove_token(
    session: Session, network: Network, address: Address, request_id: RequestId = ""
) -> None:
    """Remove a token that was added."""
    await session.client.chains.remove_token(network, address, request_id=request_id or None)
    session.done(f"{address} is forgotten on {network}")


async def transaction(session: Session, network: Network, hash: Hash, wait: Wait = False) -> None:
    """A transaction, ours or anybody's."""
    found = await session.client.chains.get_transaction(network, hash)
    session.one(await finished(session, found) if wait else found)


async def transactions(
    session: Session,
    network: OnlyNetwork = "",
    address: Annotated[str, typer.Option(metavar="ADDRESS", help="Only this signer.")] = "",
    pending: Annotated[bool, typer.Option("--pending", help="Only those not final.")] = False,
    limit: Limit = 20,
) -> None:
    """Our transactions, newest first."""
    pages = session.client.chains.list_transactions(
        network=network, address=address, pending_only=pending, page_size=min(limit, 1000)
    )
    session.rows("Transaction", await pages.first(limit), "no transaction yet")


async def speed_up(
    session: Session,
    network: Network,
    hash: Hash,
    speed: Speed = None,
    unit_price: UnitPrice = "",
    max_fee: MaxFee = "",
    route: Route = None,
    request_id: RequestId = "",
) -> None:
    """Replace a pending transaction by the same at a higher fee."""
    session.one(
        await session.client.chains.speed_up_transaction(
            network,
            hash,
            strategy=fees(speed, unit_price, route),
            max_fee=max_fee or None,
            request_id=request_id or None,
        )
    )


async def cancel(
    session: Session,
    network: Network,
    hash: Hash,
    speed: Speed = None,
    unit_price: UnitPrice = "",
    max_fee: MaxFee = "",
    route: Route = None,
    yes: Yes = False,
    request_id: RequestId = "",
) -> None:
    """Replace a pending transaction by one that does nothing."""
    confirm("Cancel it? The replacement costs a fee.", yes)
    session.one(
        await session.client.chains.cancel_transaction(
            network,
            hash,
            strategy=fees(speed, unit_price, route),
            max_fee=max_fee or None,
            request_id=request_id or None,
        )
    )


async def gas(session: Session, network: Network) -> None:
    """What a transaction costs now at each speed, in the native coin."""
    found = await session.client.chains.estimate_fees(network)
    session.rows("FeeEstimate", found, "the network tells no fees")


async def finished(session: Session, transaction: "Transaction") -> "Transaction":
    """The transaction once it is in a block, or can never be."""
    while str(transaction.status) not in ENDED:
        await asyncio.sleep(LOOK_EVERY)
        transaction = await session.client.chains.get_transaction(
            transaction.network, transaction.hash
        )
    return transaction


def strategy(speed: SpeedName | None) -> "FeeStrategy | None":
    """The client's name of a speed."""
    from cambist import FeeStrategy

    return None if speed is None else FeeStrategy[speed.name]


def approval_method(approval: ApprovalName) -> "ApprovalMethod":
    """The client's name of a way to approve."""
    from cambist import ApprovalMethod

    return ApprovalMethod[approval.name]


def fees(
    speed: SpeedName | None, unit_price: str, route: RouteName | None
) -> "FeeOptions | FeeStrategy | None":
    """All that the options say of a fee."""
    if not unit_price and route is None:
        return strategy(speed)
    import cambist

    return cambist.FeeOptions(
        strategy=strategy(speed),
        unit_price=unit_price or None,
        route=None if route is None else cambist.Route[route.name],
    )
