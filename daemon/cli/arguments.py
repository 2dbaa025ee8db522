"""Arguments and options that several commands have, with their completion."""

from enum import StrEnum
from typing import Annotated

import typer

from daemon.cli.complete import accounts, instruments, networks, venues, wallets


class SideName(StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"


class TimeInForceName(StrEnum):
    """How long an order lives."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POST_ONLY = "post-only"


class FamilyName(StrEnum):
    """Kinds of chains."""

    EVM = "evm"
    SOLANA = "solana"


class SpeedName(StrEnum):
    """How soon a transaction should be included."""

    SLOW = "slow"
    NORMAL = "normal"
    FAST = "fast"


class ApprovalName(StrEnum):
    """How a contract is let to take a token."""

    EXACT = "exact"
    UNLIMITED = "unlimited"
    EIP2612 = "eip2612"
    PERMIT2 = "permit2"
    PERMIT2_UNLIMITED = "permit2_unlimited"


class RouteName(StrEnum):
    """Who gets to see a transaction before it is in a block."""

    PUBLIC = "public"
    PRIVATE = "private"


VENUE = typer.Argument(metavar="VENUE", help="Such as paper.", autocompletion=venues)
INSTRUMENT = typer.Argument(
    metavar="INSTRUMENT", help="Such as ETH-USDC.", autocompletion=instruments
)
NETWORK = typer.Argument(metavar="NETWORK", help="Such as ethereum_local.", autocompletion=networks)
Venue = Annotated[str, VENUE]
Instrument = Annotated[str, INSTRUMENT]
Network = Annotated[str, NETWORK]
OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="As 'cambist order list' shows.")]
Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="In whole tokens.")]
TokenArgument = Annotated[str, typer.Argument(metavar="TOKEN", help="Address or symbol.")]

Account = Annotated[
    str,
    typer.Option(
        "--account",
        "-a",
        metavar="ACCOUNT",
        help="Needed only where several can be meant.",
        autocompletion=accounts,
    ),
]
Wallet = Annotated[
    str,
    typer.Option(
        "--wallet",
        "-w",
        metavar="WALLET",
        help="Needed only where several can be meant.",
        autocompletion=wallets,
    ),
]
OnlyVenue = Annotated[
    str, typer.Option("--venue", metavar="VENUE", help="Only this venue.", autocompletion=venues)
]
OnlyInstrument = Annotated[
    str, typer.Option("--instrument", metavar="INSTRUMENT", help="Only this instrument.")
]
OnlyAccount = Annotated[
    str,
    typer.Option(
        "--account", "-a", metavar="ACCOUNT", help="Only this account.", autocompletion=accounts
    ),
]
OnlyNetwork = Annotated[
    str,
    typer.Option(
        "--network", metavar="NETWORK", help="Only this network.", autocompletion=networks
    ),
]
Watch = Annotated[bool, typer.Option("--watch", help="Follow it until Ctrl-C.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at the most.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, send nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
RequestId = Annotated[
    str,
    typer.Option(
        "--request-id",
        metavar="ID",
        help="The same id again has no second effect.",
        show_default="a new one",
    ),
]
Approval = Annotated[
    ApprovalName,
    typer.Option(
        "--approval",
        help="How the contract is let to take the token: a transaction before (exact, unlimited) or"
        " a signature that the same transaction brings (eip2612, permit2, where they are offered).",
    ),
]
Speed = Annotated[SpeedName | None, typer.Option("--speed", help="How soon to be included.")]
Route = Annotated[
    RouteName | None,
    typer.Option("--route", help="Who sees it before it is in a block."),
]
UnitPrice = Annotated[
    str,
    typer.Option(
        "--unit-price",
        metavar="PRICE",
        help="The most for a unit of gas or computing, in the native coin, instead of a speed.",
    ),
]
MaxFee = Annotated[
    str, typer.Option("--max-fee", metavar="AMOUNT", help="The most to pay, in the native coin.")
]
