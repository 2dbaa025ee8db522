"""Orders that rest until they are canceled, whichever way they came; their stream hears of it."""

import itertools
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from bench.venue.recording import SYMBOL
from bench.venue.sockets import Users

Params = Mapping[str, str]


class Orders:
    """By API key."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self._orders: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)  # by key and id
        self._ids = itertools.count(1)

    def of(self, key: str) -> dict[str, dict[str, Any]]:
        """By client order id."""
        return self._orders[key]

    def place(self, key: str, params: Params) -> dict[str, Any]:
        """The reply to a new order."""
        now = time.time_ns() // 1_000_000
        number = next(self._ids)
        id_ = params.get("newClientOrderId") or f"x{number}"
        order = {
            "symbol": params.get("symbol", SYMBOL),
            "orderId": number,
            "orderListId": -1,
            "clientOrderId": id_,
            "transactTime": now,
            "price": params["price"],
            "origQty": params["quantity"],
            "executedQty": "0.00000000",
            "origQuoteOrderQty": "0.00000000",
            "cummulativeQuoteQty": "0.00000000",
            "status": "NEW",
            "timeInForce": params.get("timeInForce", "GTC"),
            "type": params.get("type", "LIMIT"),
            "side": params["side"],
            "workingTime": now,
            "time": now,
            "updateTime": now,
            "fills": [],
            "selfTradePreventionMode": "NONE",
        }
        self._orders[key][id_] = order
        self._report(key, order, "NEW", "", id_)
        return order

    def cancel(self, key: str, params: Params) -> dict[str, Any] | None:
        """The reply to a cancel; None when there is no such order."""
        order = self._named(key, params)
        if order is None:
            return None
        id_ = order["clientOrderId"]
        del self._orders[key][id_]
        order |= {"status": "CANCELED", "transactTime": time.time_ns() // 1_000_000}
        canceled = params.get("newClientOrderId") or f"c{next(self._ids)}"
        self._report(key, order, "CANCELED", id_, canceled)
        return {**order, "origClientOrderId": id_, "clientOrderId": canceled}

    def _named(self, key: str, params: Params) -> dict[str, Any] | None:
        orders = self._orders[key]
        if "origClientOrderId" in params:
            return orders.get(params["origClientOrderId"])
        wanted = int(params.get("orderId", "0"))
        return next((order for order in orders.values() if order["orderId"] == wanted), None)

    def _report(self, key: str, order: dict[str, Any], kind: str, original: str, id_: str) -> None:
        """What the user data stream says of it."""
        event = {
            "e": "executionReport",
            "E": time.time_ns() // 1_000_000,
            "s": order["symbol"],
            "c": id_,
            "S": order["side"],
            "o": order["type"],
            "f": order["timeInForce"],
            "q": order["origQty"],
            "p": order["price"],
            "P": "0.00000000",
            "F": "0.00000000",
            "g": -1,
            "C": original,
            "x": kind,
            "X": order["status"],
            "r": "NONE",
            "i": order["orderId"],
            "l": "0.00000000",
            "z": "0.00000000",
            "L": "0.00000000",
            "n": "0",
            "N": None,
            "T": order["transactTime"],
            "t": -1,
            "w": True,
            "m": False,
            "Z": "0.00000000",
            "Y": "0.00000000",
            "Q": "0.00000000",
            "W": order["workingTime"],
            "V": "NONE",
        }
        self._users.tell(key, event)
