"""Where one paper instrument is traded: its engine, its tape, and the settling of executions."""

from decimal import Decimal

from cex.paper.clearing import Clearing
from cex.paper.ladder import Resting
from cex.paper.ledger import OpenOrder
from cex.paper.markets import Market
from cex.paper.matching import PUBLIC, Ending, Incoming, MatchingEngine, Result, Why
from cex.paper.rules import BEYOND_SLIPPAGE, rises, worst_price
from cex.paper.simulation import Simulation
from cex.paper.tape import Tape
from core.instruments import InstrumentKind
from core.market import Trade
from core.orders import Liquidity, OrderRequest, OrderStatus, Side, TimeInForce


class Pit:
    """One instrument of the exchange."""

    def __init__(self, market: Market, clearing: Clearing, tape: Tape) -> None:
        self.market = market
        self.instrument = market.instrument
        self.tape = tape
        self.engine = MatchingEngine()
        self._clearing = clearing
        self._public = 0

    # --- units ---

    def ticks(self, price: Decimal) -> int:
        """A price in ticks."""
        return int(price / self.instrument.price_tick)

    def steps(self, quantity: Decimal) -> int:
        """A quantity in steps."""
        return int(quantity / self.instrument.quantity_step)

    def incoming(self, request: OrderRequest, number: int, remaining: Decimal) -> Incoming:
        """An order as the engine takes it."""
        tick, rule = self.instrument.price_tick, request.time_in_force
        best = self.engine.best(Side.SELL if request.side is Side.BUY else Side.BUY)
        price = worst_price(request, None if best is None else best * tick, tick)
        if request.price is None and price is not None and rule is not TimeInForce.FOK:
            rule = TimeInForce.IOC
        return Incoming(
            number,
            request.account,
            request.side,
            None if price is None else self.ticks(price),
            self.steps(remaining),
            rule,
            request.reduce_only,
        )

    # --- state ---

    def rebuild(
        self, orders: list[OpenOrder], positions: dict[str, Decimal], last: int | None
    ) -> None:
        """A new engine with what the books of record say; orders come first in the queue first."""
        self.engine = engine = MatchingEngine(self.instrument.kind is InstrumentKind.PERPETUAL)
        engine.last = last
        engine.positions = {account: self.steps(held) for account, held in positions.items()}
        for order in orders:
            if not order.active:
                self.add_stop(order)
                continue
            came = self.incoming(order.request, order.number, order.remaining)
            assert came.price is not None  # only priced orders rest
            engine.rest(
                Resting(
                    came.number, came.owner, came.side, came.price, came.quantity, came.reduce_only
                )
            )

    def add_stop(self, order: OpenOrder) -> None:
        """Lets an order wait for its trigger."""
        trigger = order.request.trigger_price
        assert trigger is not None  # rules.objection has seen to it
        self.engine.add_stop(order.number, self.ticks(trigger), rises(order.request))

    def cost(self, request: OrderRequest) -> Decimal:
        """What an order costs at most: its notional at its price, or that of a market order's
        executions as the book stands."""
        if request.price is not None:
            return request.price * request.quantity
        _, product = self.engine.preview(self.incoming(request, 0, request.quantity))
        return product * self.instrument.price_tick * self.instrument.quantity_step

    # --- trading ---

    def enter(self, order: OpenOrder) -> Result:
        """Matches an admitted order; the caller deals with REFUSED, which has no effect."""
        result = self.engine.submit(self.incoming(order.request, order.number, order.remaining))
        self.settle(result, order)
        return result

    def settle(self, result: Result, taker: OpenOrder | None) -> None:
        """Books what a command did to the engine; `taker` None is the simulated public."""
        instrument, clearing = self.instrument, self._clearing
        for execution in result.executions:
            maker = execution.maker
            price = execution.price * instrument.price_tick
            quantity = execution.quantity * instrument.quantity_step
            trade_id = clearing.next_trade_id()
            if maker.owner != PUBLIC:
                resting = clearing.order(maker.number)
                clearing.execute(resting, price, quantity, Liquidity.MAKER, trade_id)
            if taker is not None:
                clearing.execute(taker, price, quantity, Liquidity.TAKER, trade_id)
            side = Side.BUY if maker.side is Side.SELL else Side.SELL
            now = clearing.now()
            self.tape.print(Trade(instrument.id, trade_id, side, price, quantity, now, now))
        for maker in result.spent:
            spent = clearing.order(maker.number)
            clearing.finish(spent, OrderStatus.EXPIRED, Why.REDUCE_ONLY.value)
        if taker is not None:
            if result.ending is Ending.RESTS:
                clearing.hold(taker)
            elif result.ending is Ending.EXPIRED:
                slipped = taker.request.price is None and result.why is Why.IOC
                why = BEYOND_SLIPPAGE if slipped else result.why.value
                clearing.finish(taker, OrderStatus.EXPIRED, why)

    def lay_quotes(self, simulation: Simulation, quietly: bool) -> None:
        """Puts the makers' ladders of this tick in place of the old ones. They come behind the
        orders of accounts at the same price, and trade with those that stand in their way, or
        (`quietly`) keep away from them."""
        self.engine.cancel_public()
        rule = TimeInForce.POST_ONLY if quietly else TimeInForce.GTC
        for quote in simulation.quotes(self.instrument.id):
            self._submit(Incoming(0, PUBLIC, quote.side, quote.price, quote.quantity, rule))

    def let_takers_come(self, simulation: Simulation) -> None:
        """Lets the public take from the book."""
        for taker in simulation.takers(self.instrument.id):
            self._submit(Incoming(0, PUBLIC, taker.side, None, taker.quantity))

    def _submit(self, incoming: Incoming) -> None:
        self._public -= 1  # the public's numbers are negative, and not kept
        incoming.number = self._public
        self.settle(self.engine.submit(incoming), None)
