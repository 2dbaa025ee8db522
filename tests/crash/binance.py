"""An exchange that keeps what happened, and can hold a message up on its way."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.support.binance_server import BinanceServer, error
from tests.support.local_exchange import Answer, LocalExchange, Seen


class Exchange(BinanceServer):
    """Binance's protocol. Takes an order again that has been sent again: that must show."""

    def __init__(self, exchange: LocalExchange) -> None:
        super().__init__(exchange)
        self.made: list[dict[str, Any]] = []  # every order, by whatever way
        self.arrived: Callable[[], None] | None = None
        self._held: Callable[[], Answer] | None = None
        for what, handler in (
            ("POST /api/v3/order", self._place),
            ("DELETE /api/v3/order", self._cancel),
            ("POST /api/v3/order/cancelReplace", self._replace),
            ("PUT /api/v3/order/amend/keepPriority", self._amend),
        ):
            exchange.on(what, self._signed(self._held_up(handler)))
        exchange.on("GET /api/v3/myTrades", self._signed(self._trades))

    def release(self, random: Random) -> None:
        """What was held up arrives."""
        held, self._held = self._held, None
        if held is not None:
            held()

    def _held_up(self, handler: Callable[[Seen], Answer]) -> Callable[[Seen], Answer]:
        def arrive(seen: Seen) -> Answer:
            arrived, self.arrived = self.arrived, None
            if arrived is None:
                return handler(seen)
            self._held = lambda: handler(seen)
            arrived()
            return Answer(hang=True)

        return arrive

    def _place(self, seen: Seen) -> Answer:
        self.orders.pop(seen.params["newClientOrderId"], None)
        answer = super()._place(seen)
        order = self.orders[seen.params["newClientOrderId"]]
        order["orderId"] = 1000 + len(self.made)
        self.made.append(order)
        self.report(self.execution(order, "NEW"))
        return self._json(order) if answer.status == 200 else answer

    def _cancel(self, seen: Seen) -> Answer:
        answer = super()._cancel(seen)
        order = self._find(seen)
        if answer.status == 200 and order is not None:
            self.end(order)
        return answer

    def end(self, order: dict[str, Any]) -> None:
        """Cancels an order and tells so."""
        order["status"] = "CANCELED"
        name = order["clientOrderId"]
        self.report({**self.execution(order, "CANCELED"), "c": "the-cancel", "C": name})

    def _replace(self, seen: Seen) -> Answer:
        old = self.orders.get(seen.params["cancelOrigClientOrderId"])
        if old is None or old["status"] != "NEW":
            gone = {"code": -2011, "msg": "Unknown order sent."}
            halves = {"cancelResult": "FAILURE", "newOrderResult": "NOT_ATTEMPTED"}
            data = {**halves, "cancelResponse": gone, "newOrderResponse": None}
            body = {"code": -2022, "msg": "Order cancel-replace failed.", "data": data}
            return Answer(json.dumps(body).encode(), 400)
        self.end(old)
        placed = json.loads(self._place(seen).body)
        canceled = {**old, "origClientOrderId": old["clientOrderId"], "clientOrderId": "x"}
        return self._json(
            {
                "cancelResult": "SUCCESS",
                "newOrderResult": "SUCCESS",
                "cancelResponse": canceled,
                "newOrderResponse": placed,
            }
        )

    def _amend(self, seen: Seen) -> Answer:
        order = self._find(seen)
        if order is None or order["status"] != "NEW":
            return error(-2013, "Order does not exist.")
        order["origQty"] = seen.params["newQty"]
        order["updateTime"] = self.now()
        self.report(self.execution(order, "REPLACED"))
        amended = {
            "symbol": order["symbol"],
            "orderId": order["orderId"],
            "origClientOrderId": order["clientOrderId"],
            "clientOrderId": order["clientOrderId"],
            "price": order["price"],
            "qty": order["origQty"],
            "executedQty": order["executedQty"],
            "cumulativeQuoteQty": order["cummulativeQuoteQty"],
            "status": "NEW",
            "timeInForce": order["timeInForce"],
            "type": order["type"],
            "side": order["side"],
        }
        return self._json({"transactTime": self.now(), "amendedOrder": amended})

    def _trades(self, seen: Seen) -> Answer:
        first, since = int(seen.params.get("fromId", 0)), int(seen.params.get("startTime", 0))
        found = [one for one in self.trades if one["id"] >= first and one["time"] >= since]
        return self._json(found[:1000])
