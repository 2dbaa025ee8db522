"""How patient the desk is, and how much it keeps in memory."""

from dataclasses import dataclass

from core.clock import SECOND


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """Delays are seconds, as asyncio counts them."""

    resolve_delay: float = 0.25  # before an order in doubt is asked about first; then it doubles
    resolve_max_delay: float = 10.0
    reconcile_interval: float = 60.0
    reconcile_pause: float = 2.0  # float: seconds at least, whatever calls for the next round
    retry_delay: float = 1.0  # after a reconciliation that failed; then it doubles
    retry_max_delay: float = 30.0
    fills_overlap: int = 60 * SECOND  # fills are read again from so long before the cursor, ns
    funding_interval: int = 600 * SECOND  # funding payments are asked for so often at most, ns
    asks_at_once: int = 8  # queries and single cancels an account
    final_orders: int = 1000  # kept in memory an account, beside all open ones
    trade_ids: int = 20_000  # kept in memory an account
    inbox: int = 20_000  # reports that may wait an account
    orphans: int = 1000  # reports that wait for an order's acknowledgement an account
