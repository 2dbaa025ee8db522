"""What is meant where a command leaves it out: the only account, the default wallet."""

from typing import TYPE_CHECKING

from daemon.cli.session import Session
from daemon.cli.speech import UsageError

if TYPE_CHECKING:
    from cambist import Order


async def trading_account(session: Session, given: str, venue: str) -> str:
    """The given account, else the only one that trades on a venue, else its default wallet."""
    if given:
        return given
    client = session.client
    found = [one.id for one in await client.accounts.list_accounts() if venue in one.venues]
    if len(found) > 1:
        defaults = {one.name for one in await client.wallets.list_wallets() if one.is_default}
        found = [one for one in found if one in defaults] or found
    if len(found) == 1:
        return found[0]
    await client.venues.get_venue(venue)  # where the venue itself is wrong, say that
    if not found:
        raise UsageError(f"no account trades on {venue}: 'cambist account list' shows them")
    raise UsageError(f"several accounts trade on {venue}; say --account {'|'.join(found)}")


async def find_order(session: Session, order_id: str, account: str) -> "Order":
    """An order by our id, the venue's id or its request id, in the given account or in any."""
    import cambist

    trading = session.client.trading
    accounts = (
        [account] if account else [one.id for one in await session.client.accounts.list_accounts()]
    )
    failure: cambist.Error = cambist.OrderNotFound(
        f"no order {order_id!r}", reason="ORDER_NOT_FOUND", metadata={"order": order_id}
    )
    for owner in accounts:
        for by in ("client_order_id", "request_id"):
            try:
                if by == "client_order_id":
                    return await trading.get_order(order_id, account=owner)
                return await trading.get_order(request_id=order_id, account=owner)
            except cambist.NotFound as error:
                failure = error if account else failure
    async for order in trading.list_orders(account=account):
        if order.venue_order_id == order_id:
            return order
    raise failure


async def wallet_on(session: Session, given: str, network: str) -> str:
    """The given wallet, else the default of the network's family, else the only one."""
    if given:
        return given
    family = (await session.client.chains.get_network(network)).family
    found = [one for one in await session.client.wallets.list_wallets() if one.family is family]
    defaults = [one for one in found if one.is_default]
    if len(defaults or found) == 1:
        return (defaults or found)[0].name
    if not found:
        raise UsageError(f"no wallet for {network}: make one with 'cambist wallet add NAME'")
    names = "|".join(one.name for one in found)
    raise UsageError(f"several wallets can be meant; say --wallet {names}")


async def receiver(session: Session, given: str) -> str:
    """The address of a wallet that is named so; else what was given, for the daemon to judge."""
    for one in await session.client.wallets.list_wallets():
        if one.name == given and one.address:
            return one.address
    return given


async def wallet_for_venue(session: Session, given: str, venue: str) -> str:
    """As above, for the network of a pool venue."""
    if given:
        return given
    network = (await session.client.venues.get_venue(venue)).network
    if not network:
        raise UsageError(f"{venue} has no pools: use 'cambist order place'")
    return await wallet_on(session, given, network)
