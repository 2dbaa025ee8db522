"""Networks, tokens and transactions."""

from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli import complete
from daemon.cli.arguments import (
    ApprovalName,
    Limit,
    Network,
    OnlyNetwork,
    RequestId,
)
from daemon.cli.groups import DefaultGroup
from daemon.cli.sending import AS_USUAL, Sending, Wait, finished
from daemon.cli.session import Session, command

if TYPE_CHECKING:
    from cambist import ApprovalMethod

Hash = Annotated[str, typer.Argument(metavar="HASH", help="Hash, or Solana's signature.")]
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="The token's address.")]

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
    session: Session, network: Network, hash: Hash, sending: Sending = AS_USUAL
) -> None:
    """Replace a pending transaction by the same at a higher fee."""
    sending.confirm("Send it again at a higher fee?", in_scripts=False)
    chains = session.client.chains
    sent = await chains.speed_up_transaction(network, hash, **sending.keywords())
    await sending.shown(session, sent)


async def cancel(
    session: Session, network: Network, hash: Hash, sending: Sending = AS_USUAL
) -> None:
    """Replace a pending transaction by one that does nothing."""
    sending.confirm("Cancel it? The replacement costs a fee.")
    chains = session.client.chains
    sent = await chains.cancel_transaction(network, hash, **sending.keywords())
    await sending.shown(session, sent)


async def gas(session: Session, network: Network) -> None:
    """What a transaction costs now at each speed, in the native coin."""
    found = await session.client.chains.estimate_fees(network)
    session.rows("FeeEstimate", found, "the network tells no fees")


def approval_method(approval: ApprovalName) -> "ApprovalMethod":
    """The client's name of a way to approve."""
    from cambist import ApprovalMethod

    return ApprovalMethod[approval.name]
