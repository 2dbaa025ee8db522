"""Wallets, and what is sent from them. Secrets come by prompt, standard input or a file, never as
an argument: others can see those.
"""

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli import complete
from daemon.cli.arguments import (
    Amount,
    FamilyName,
    Network,
    RequestId,
    TokenArgument,
    Venue,
    Wallet,
    Yes,
)
from daemon.cli.resolve import receiver, wallet_for_venue, wallet_on
from daemon.cli.secrets import read, secret
from daemon.cli.sending import AS_USUAL, Sending
from daemon.cli.session import Session, command
from daemon.cli.speech import UsageError, confirm, console

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The wallet's name.", autocompletion=complete.wallets)
]
Family = Annotated[FamilyName, typer.Option("--family", help="The kind of chain.")]


PANEL = "Chains and wallets"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Wallets, and what is sent from them.", no_args_is_help=True)
    for name, function in (
        ("list", listed),
        ("add", add),
        ("import", imported),
        ("remove", remove),
        ("default", default),
        ("unlock", unlock),
        ("lock", lock),
        ("send", send),
        ("wrap", wrap),
        ("unwrap", unwrap),
        ("approve", approve),
        ("approvals", approvals),
    ):
        command(group, name)(function)
    app.add_typer(group, name="wallet", rich_help_panel=PANEL)
    # Keys of exchanges are under the same passphrase.
    command(app, "unlock", rich_help_panel=PANEL)(unlock)
    command(app, "lock", rich_help_panel=PANEL)(lock)


async def listed(session: Session) -> None:
    """The wallets, and whether they are unlocked."""
    wallets = session.client.wallets
    found = await wallets.list_wallets()
    session.rows("Wallet", found, "no wallet yet: make one with 'cambist wallet add NAME'")
    if not session.json and found:
        console(stderr=True).print(f"\nkeys are {await wallets.get_state()}", style="dim")


async def add(
    session: Session, name: Name, family: Family = FamilyName.EVM, request_id: RequestId = ""
) -> None:
    """Make a wallet with a new key."""
    from cambist import ChainFamily

    session.one(
        await session.client.wallets.create_wallet(
            name, ChainFamily[family.name], request_id=request_id or None
        )
    )


async def imported(
    session: Session,
    name: Name,
    family: Family = FamilyName.EVM,
    mnemonic: Annotated[bool, typer.Option("--mnemonic", help="From the words of BIP-39.")] = False,
    path: Annotated[str, typer.Option(metavar="PATH", help="With --mnemonic: BIP-32 path.")] = "",
    keystore: Annotated[
        Path | None, typer.Option(metavar="FILE", help="From a keystore file.")
    ] = None,
    watch: Annotated[
        str, typer.Option(metavar="ADDRESS", help="No key: an address to watch.")
    ] = "",
    secret_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where the key, the words or the keystore's passphrase are; - for standard input.",
            allow_dash=True,
        ),
    ] = None,
    request_id: RequestId = "",
) -> None:
    """Make a wallet of a private key (asked for), --mnemonic, --keystore or --watch."""
    from cambist import ChainFamily

    if mnemonic + bool(keystore) + bool(watch) > 1:
        raise UsageError("say one of --mnemonic, --keystore and --watch")
    kind = ChainFamily[family.name]
    wallets = session.client.wallets
    chosen = request_id or None
    if watch:
        made = await wallets.import_wallet(name, kind, watch_address=watch, request_id=chosen)
    elif mnemonic:
        words = " ".join(secret("The words of BIP-39", secret_file, option="--secret-file").split())
        made = await wallets.import_wallet(
            name, kind, mnemonic=words, derivation_path=path, request_id=chosen
        )
    elif keystore is not None:
        made = await wallets.import_wallet(
            name,
            kind,
            keystore=read(keystore),
            keystore_passphrase=secret(
                "The keystore's passphrase", secret_file, option="--secret-file"
            ),
            request_id=chosen,
        )
    else:
        key = secret("Private key", secret_file, option="--secret-file")
        made = await wallets.import_wallet(name, kind, private_key=key, request_id=chosen)
    session.one(made)


async def remove(
    session: Session, name: Name, yes: Yes = False, request_id: RequestId = ""
) -> None:
    """Delete a wallet and its key."""
    confirm(f"Delete wallet {name} and its key? What it holds is lost without a copy.", yes)
    await session.client.wallets.remove_wallet(name, request_id=request_id or None)
    session.done(f"{name} is deleted")


async def default(session: Session, name: Name, request_id: RequestId = "") -> None:
    """Make a wallet the default of its family."""
    await session.client.wallets.set_default_wallet(name, request_id=request_id or None)
    session.done(f"{name} is the default")


async def unlock(
    session: Session,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="- for standard input.", allow_dash=True),
    ] = None,
) -> None:
    """Decrypt the keys until the daemon stops. The first passphrase ever given sets it."""
    wallets = session.client.wallets
    first = str(await wallets.get_state()) == "none"
    what = "New passphrase for all wallets" if first else "Passphrase"
    await wallets.unlock_wallets(
        secret(what, passphrase_file, repeat=first, option="--passphrase-file")
    )
    session.done("the wallets are unlocked")


async def lock(session: Session) -> None:
    """Forget the decrypted keys."""
    await session.client.wallets.lock_wallets()
    session.done("the wallets are locked")


async def send(
    session: Session,
    network: Network,
    to: Annotated[str, typer.Argument(metavar="TO", help="Who gets it.")],
    amount: Amount,
    token: Annotated[
        str, typer.Option(metavar="TOKEN", help="Address or symbol.", show_default="native coin")
    ] = "",
    wallet: Wallet = "",
    memo: Annotated[
        str, typer.Option(metavar="TEXT", help="A note for all to read; on Solana.")
    ] = "",
    sending: Sending = AS_USUAL,
) -> None:
    """Send coins, or a --token."""
    owner = await wallet_on(session, wallet, network)
    address = await receiver(session, to)
    sending.confirm(f"Send {amount} {token or 'native'} from {owner} to {address} on {network}?")
    sent = await session.client.wallets.transfer(
        network, address, amount, wallet=owner, token=token, memo=memo, **sending.keywords()
    )
    await sending.shown(session, sent)


async def wrap(
    session: Session,
    network: Network,
    amount: Amount,
    wallet: Wallet = "",
    sending: Sending = AS_USUAL,
) -> None:
    """Turn native coins into their wrapped token."""
    owner = await wallet_on(session, wallet, network)
    sending.confirm(f"Wrap {amount} of {owner} on {network}?", in_scripts=False)
    wallets = session.client.wallets
    sent = await wallets.wrap(network, amount, wallet=owner, **sending.keywords())
    await sending.shown(session, sent)


async def unwrap(
    session: Session,
    network: Network,
    amount: Amount,
    wallet: Wallet = "",
    sending: Sending = AS_USUAL,
) -> None:
    """Turn the wrapped token into native coins."""
    owner = await wallet_on(session, wallet, network)
    sending.confirm(f"Unwrap {amount} of {owner} on {network}?", in_scripts=False)
    wallets = session.client.wallets
    sent = await wallets.unwrap(network, amount, wallet=owner, **sending.keywords())
    await sending.shown(session, sent)


async def approve(
    session: Session,
    venue: Venue,
    token: TokenArgument,
    amount: Amount,
    spender: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="Another contract than its router, as 'wallet approvals' shows."
        ),
    ] = "",
    wallet: Wallet = "",
    sending: Sending = AS_USUAL,
) -> None:
    """Allow a venue to take exactly so much of a token; 0 takes it back."""
    owner = await wallet_for_venue(session, wallet, venue)
    sending.confirm(f"Let {venue} take {amount} {token} of {owner}?", in_scripts=False)
    wallets = session.client.wallets
    sent = await wallets.approve(
        *(venue, token, amount), wallet=owner, spender=spender, **sending.keywords()
    )
    await sending.shown(session, sent)


async def approvals(session: Session, network: Network, wallet: Wallet = "") -> None:
    """What venues may take of a wallet's tokens."""
    owner = await wallet_on(session, wallet, network)
    found = await session.client.wallets.list_approvals(network, wallet=owner)
    session.rows("Allowance", found, f"no venue may take anything of {owner}")
