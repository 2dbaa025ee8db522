"""The options of every command that sends a transaction, and how it ends, once for all of them."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.arguments import MaxFee, RequestId, Route, Speed, SpeedName, UnitPrice, Yes
from daemon.cli.session import Session
from daemon.cli.speech import confirm

if TYPE_CHECKING:
    from cambist import FeeOptions, FeeStrategy, Transaction

Wait = Annotated[bool, typer.Option("--wait", help="Until it is in a block.")]

# How often a transaction that is waited for is looked at.
LOOK_EVERY = 0.3  # float: seconds
# After these nothing more happens; INCLUDED is enough for a person to know the outcome.
ENDED = {"included", "final", "reverted", "replaced", "dropped"}


@dataclass(frozen=True, slots=True)
class Sending:
    """What may be said of any transaction. A command that has a parameter of this kind has its
    fields as options; see `session.command`."""

    speed: Speed = None
    unit_price: UnitPrice = ""
    max_fee: MaxFee = ""
    route: Route = None
    yes: Yes = False
    wait: Wait = False
    request_id: RequestId = ""

    def confirm(self, question: str, in_scripts: bool = True) -> None:
        """Asks, unless --yes was said. What can be undone (not `in_scripts`) is asked for at a
        terminal only; the rest needs --yes where nobody can answer."""
        confirm(question, self.yes, in_scripts)

    def keywords(self) -> dict[str, Any]:
        """As the client's calls take it."""
        return {
            "strategy": self._fees(),
            "max_fee": self.max_fee or None,
            "request_id": self.request_id or None,
        }

    async def shown(self, session: Session, transaction: "Transaction") -> None:
        """Shows a transaction that was sent, once it is in a block if so asked; ends the command
        with 1 if it failed there."""
        transaction = await self.waited(session, transaction)
        session.one(transaction)
        self.check(transaction)

    async def waited(self, session: Session, transaction: "Transaction") -> "Transaction":
        """The transaction, once it is in a block if so asked."""
        return await finished(session, transaction) if self.wait else transaction

    @staticmethod
    def check(transaction: "Transaction") -> None:
        """Ends the command with 1 if the transaction failed in its block, or was dropped."""
        if transaction.succeeded is False or str(transaction.status) == "dropped":
            raise typer.Exit(1)

    def _fees(self) -> "FeeOptions | FeeStrategy | None":
        speed = _strategy(self.speed)
        if not self.unit_price and self.route is None:
            return speed
        import cambist

        return cambist.FeeOptions(
            strategy=speed,
            unit_price=self.unit_price or None,
            route=None if self.route is None else cambist.Route[self.route.name],
        )


AS_USUAL = Sending()


async def finished(session: Session, transaction: "Transaction") -> "Transaction":
    """The transaction once it is in a block, or can never be."""
    while str(transaction.status) not in ENDED:
        await asyncio.sleep(LOOK_EVERY)
        transaction = await session.client.chains.get_transaction(
            transaction.network, transaction.hash
        )
    return transaction


def _strategy(speed: SpeedName | None) -> "FeeStrategy | None":
    from cambist import FeeStrategy

    return None if speed is None else FeeStrategy[speed.name]
