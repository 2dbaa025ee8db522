"""Matches one paper account's orders against a real venue's live books.

The commands are the paper exchange's, with the same rules and the same books of record; only
where the other side of a trade comes from differs (`live_market`).
"""

from collections.abc import Iterable
from decimal import Decimal

from cex.paper import perpetuals
from cex.paper.admission import check_change, check_rules, open_order, reducible, refuse_duplicate
from cex.paper.book import Book, describe, report_of
from cex.paper.clearing import Clearing
from cex.paper.ledger import OpenOrder
from cex.paper.live_market import Hit, LiveMarket
from cex.paper.matching import Why
from cex.paper.rules import BEYOND_SLIPPAGE, PRICED, STOPS, change_objection, rises, worst_price
from core.errors import CambistError, Reason, Refused, Rejected
from core.instruments import Instrument
from core.market import BookState, BookUpdate, Funding, Trade
from core.money import ZERO
from core.orders import (
    Liquidity,
    OrderReport,
    OrderRequest,
    OrderStatus,
    Side,
    TimeInForce,
)


class LiveExecutor:
    """One account's matcher."""

    def __init__(self, book: Book, clearing: Clearing) -> None:
        self._account = book.id
        self._clearing = clearing
        self._instruments: dict[str, Instrument] = {}
        self._markets: dict[str, LiveMarket] = {}
        self._fundings: dict[str, Funding] = {}

    @property
    def _book(self) -> Book:
        return self._clearing.book(self._account)

    # --- markets ---

    def attach(self, instrument: Instrument) -> LiveMarket:
        """The market of an instrument, with the open orders that rest in it."""
        market = self._markets.get(instrument.id)
        if market is None:
            market = self._markets[instrument.id] = LiveMarket()
            self._instruments[instrument.id] = instrument
            self._restore(instrument.id)
        return market

    def detach(self, instrument: str) -> None:
        """Forgets a market whose feed has ended."""
        self._markets.pop(instrument, None)

    def rebuild(self) -> None:
        """Rests the orders anew after the books of record were read back."""
        for instrument in self._markets:
            self._markets[instrument] = LiveMarket()
            self._restore(instrument)

    def needed(self) -> set[str]:
        """Instruments with open orders or a position."""
        names = {order.request.instrument for order in self._book.orders.values()}
        if self._book.margin is not None:
            names |= {h.instrument for h in self._book.margin.holdings.values() if h.quantity}
        return names

    # --- what the venue says ---

    def on_book(self, instrument: str, event: BookUpdate) -> None:
        """A snapshot or a delta of the book."""
        market = self._markets[instrument]
        market.update(event)
        if market.state is not BookState.LIVE:
            return
        if market.reached() or self._due(instrument):
            with self._clearing.command():
                self._book_hits(market.crossings(self._room))
                self._settle_down(instrument)

    def on_trade(self, instrument: str, trade: Trade) -> None:
        """A public trade."""
        market = self._markets[instrument]
        if instrument not in self.needed():
            market.last = trade.price
            return
        with self._clearing.command():
            if self._book.margin is not None and instrument not in self._fundings:
                self._book.margin.mark(instrument, trade.price)
            self._book_hits(market.prints(trade, self._room))
            self._settle_down(instrument)

    def on_funding(self, instrument: str, funding: Funding) -> None:
        """Rates of a perpetual: the mark price, and a payment when a funding time has passed."""
        before = self._fundings.get(instrument)
        self._fundings[instrument] = funding
        margin = self._book.margin
        if margin is None:
            return
        with self._clearing.command():
            margin.mark(instrument, funding.mark_price)
            if before is not None and before.next_time < funding.next_time:
                self._clearing.pay_funding(instrument, before.rate, before.next_time, self._book)
            self._enforce()

    # --- commands ---

    def check(self, request: OrderRequest, error: type[CambistError] = Refused) -> None:
        """Raises `error` with the first thing that stands against an order, as the book is now."""
        market = self._live(request.instrument)
        book = self._book
        check_rules(book, request, self._instruments[request.instrument], error)
        self._mark(request.instrument, market)
        if request.type in STOPS:
            return
        why = self._refusal(market, request, request.quantity)
        if why is not None:
            reason = (
                Reason.POST_ONLY_WOULD_TAKE
                if why is Why.POST_ONLY
                else Reason.REDUCE_ONLY_WOULD_INCREASE
            )
            raise error(reason, f"{describe(request)}: {why.value}")
        short = self._shortfall(market, request)
        if short is not None:
            raise error(Reason.INSUFFICIENT_BALANCE, f"{describe(request)}: {short}")

    def place(self, request: OrderRequest) -> OrderReport:
        """Takes an order. Raises Rejected, or Refused with BOOK_NOT_LIVE."""
        refuse_duplicate(self._clearing, request)
        self.check(request, Rejected)
        with self._clearing.command():
            order = self._clearing.admit(request, active=request.type not in STOPS)
            if order.active:
                self._enter(self._markets[request.instrument], order)
            self._settle_down(request.instrument)
        return report_of(order)

    def cancel(self, account: str, client_order_id: str) -> OrderReport:
        """Ends an open order. Raises Rejected: ORDER_FINAL, ORDER_NOT_FOUND."""
        order = open_order(self._clearing, account, client_order_id)
        with self._clearing.command():
            self._cancel(order)
        return report_of(order)

    def cancel_all(self, account: str, instrument: str | None) -> list[OrderReport]:
        """Ends all open orders of the account, or of an instrument."""
        open_ = self._clearing.book(account).orders.values()
        orders = [order for order in open_ if instrument in (None, order.request.instrument)]
        with self._clearing.command():
            for order in orders:
                self._cancel(order)
        return [report_of(order) for order in orders]

    def replace(
        self, account: str, client_order_id: str, quantity: Decimal, price: Decimal
    ) -> OrderReport:
        """Changes whole quantity and price; the place in the queue stays if only the quantity
        shrinks. Raises Rejected, or Refused with BOOK_NOT_LIVE."""
        order = open_order(self._clearing, account, client_order_id)
        request = order.request
        market = self._live(request.instrument)
        instrument = self._instruments[request.instrument]
        broken = change_objection(request, instrument, order.filled, quantity, price)
        if broken is not None:
            raise Rejected(*broken)
        with self._clearing.command():
            if not order.active:
                priced = price if request.type in PRICED else None
                self._clearing.amend(order, quantity, priced, requeue=False)
            else:
                self._replace_resting(market, order, quantity, price)
                self._settle_down(request.instrument)
        return report_of(order)

    # --- inside ---

    def _replace_resting(
        self, market: LiveMarket, order: OpenOrder, quantity: Decimal, price: Decimal
    ) -> None:
        remaining, book, request = quantity - order.filled, self._book, order.request
        check_change(book, order, remaining, price, book.terms.of(request.instrument).taker)
        if price == request.price and quantity <= request.quantity:
            self._clearing.amend(order, quantity, price, requeue=False)
            return
        why = self._refusal(market, request, remaining, price)
        if why is not None:
            raise Rejected(Reason.ORDER_REJECTED, f"{describe(request)}: {why.value}")
        market.drop(order.number)
        self._clearing.amend(order, quantity, price, requeue=True)
        self._enter(market, order)

    def _refusal(
        self,
        market: LiveMarket,
        request: OrderRequest,
        quantity: Decimal,
        price: Decimal | None = None,
    ) -> Why | None:
        if request.reduce_only and quantity > reducible(self._book, request):
            return Why.REDUCE_ONLY
        if request.time_in_force is TimeInForce.POST_ONLY:
            limit = price or request.price
            opposite = _opposite(request.side)
            bests = [p for p in (market.best(opposite), market.own_best(opposite)) if p is not None]
            if any(_takes(request.side, limit, best) for best in bests):
                return Why.POST_ONLY
        return None

    def _enter(self, market: LiveMarket, order: OpenOrder) -> None:
        """Takes what is displayed, then rests or ends."""
        request = order.request
        instrument = self._instruments[request.instrument]
        opposite = _opposite(request.side)
        limit = worst_price(request, market.best(opposite), instrument.price_tick)
        own = market.own_best(opposite)
        blocked = own is not None and _takes(request.side, limit, own)
        bound = own if blocked else limit  # what is displayed at our own price stands before us
        if request.time_in_force is TimeInForce.FOK:
            found = market.walk(request.side, order.remaining, bound)
            if sum((quantity for _, quantity in found), ZERO) < order.remaining:
                self._clearing.finish(order, OrderStatus.EXPIRED, Why.FOK.value)
                return
        for price, quantity in market.take(request.side, order.remaining, bound):
            trade_id = self._clearing.next_trade_id()
            self._clearing.execute(order, price, quantity, Liquidity.TAKER, trade_id)
        if not order.remaining:
            return
        if blocked:
            self._clearing.finish(order, OrderStatus.EXPIRED, Why.SELF_TRADE.value)
        elif request.price is None:
            why = Why.EXHAUSTED.value if limit is None else BEYOND_SLIPPAGE
            self._clearing.finish(order, OrderStatus.EXPIRED, why)
        elif request.time_in_force is TimeInForce.IOC:
            self._clearing.finish(order, OrderStatus.EXPIRED, Why.IOC.value)
        else:
            market.rest(order)
            self._clearing.hold(order)

    def _book_hits(self, hits: Iterable[Hit]) -> None:
        for hit in hits:
            trade_id = self._clearing.next_trade_id()
            self._clearing.execute(hit.order, hit.price, hit.quantity, Liquidity.MAKER, trade_id)
            if not hit.order.remaining:
                self._drop(hit.order)

    def _settle_down(self, instrument: str) -> None:
        while due := self._due(instrument):
            for order in due:
                order.active = True
                market = self._markets[instrument]
                short = self._shortfall(market, order.request)
                why = self._refusal(market, order.request, order.remaining)
                if short is not None or why is not None:
                    words = short or (why.value if why else "")
                    self._clearing.finish(order, OrderStatus.EXPIRED, f"triggered, but: {words}")
                else:
                    self._enter(market, order)
        self._enforce()

    def _due(self, instrument: str) -> list[OpenOrder]:
        """Stops that the last price has triggered, while the book can take them."""
        market = self._markets[instrument]
        if market.state is not BookState.LIVE or market.last is None:
            return []
        return [
            order
            for order in self._book.orders.values()
            if not order.active
            and order.request.instrument == instrument
            and _triggered(order.request, market.last)
        ]

    def _enforce(self) -> None:
        perpetuals.enforce(self._book, self._clearing, self._drop, lambda book, instrument: None)

    def _drop(self, order: OpenOrder) -> None:
        market = self._markets.get(order.request.instrument)
        if market is not None:
            market.drop(order.number)

    def _cancel(self, order: OpenOrder) -> None:
        self._drop(order)
        self._clearing.finish(order, OrderStatus.CANCELED, "canceled by request")

    def _room(self, order: OpenOrder) -> Decimal:
        if not order.request.reduce_only:
            return order.remaining
        return min(order.remaining, reducible(self._book, order.request))

    def _shortfall(self, market: LiveMarket, request: OrderRequest) -> str | None:
        cost = (request.price or ZERO) * request.quantity
        if request.price is None:
            best = market.best(_opposite(request.side))
            tick = self._instruments[request.instrument].price_tick
            limit = worst_price(request, best, tick)
            walked = market.walk(request.side, request.quantity, limit)
            cost = sum((price * quantity for price, quantity in walked), ZERO)
        rate = self._book.terms.of(request.instrument).taker
        return self._book.ledger.shortfall(request, request.quantity, cost, rate)

    def _live(self, instrument: str) -> LiveMarket:
        market = self._markets.get(instrument)
        if market is None or market.state is not BookState.LIVE:
            state = "is not subscribed" if market is None else f"is not live: {market.reason}"
            raise Refused(
                Reason.BOOK_NOT_LIVE,
                f"the book of {instrument} {state}; try again when it is live",
                {"instrument": instrument},
            )
        return market

    def _mark(self, instrument: str, market: LiveMarket) -> None:
        """Where the venue tells no mark price, the last trade or the best bid stands in for it."""
        margin = self._book.margin
        if margin is not None and not margin.holding(instrument).mark:
            funding = self._fundings.get(instrument)
            price = funding.mark_price if funding else market.last or market.best(Side.BUY)
            margin.mark(instrument, price or ZERO)

    def _restore(self, instrument: str) -> None:
        market = self._markets[instrument]
        orders = [
            order
            for order in self._book.orders.values()
            if order.active and order.request.instrument == instrument
        ]
        for order in sorted(orders, key=lambda order: order.priority):
            market.rest(order)


def _opposite(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY


def _takes(side: Side, limit: Decimal | None, best: Decimal) -> bool:
    if limit is None:
        return True
    return limit >= best if side is Side.BUY else limit <= best


def _triggered(request: OrderRequest, last: Decimal) -> bool:
    trigger = request.trigger_price
    assert trigger is not None  # rules.objection has seen to it
    return last >= trigger if rises(request) else last <= trigger
