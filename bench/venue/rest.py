"""The REST side: market data, accounts with money, and orders that rest until they are canceled."""

import itertools
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from bench.venue.market import Market
from bench.venue.recording import BASE, QUOTE, SYMBOL
from bench.venue.sockets import Users
from bench.venue.symbols import exchange_info

Params = Mapping[str, str]

_KEY = "X-MBX-APIKEY"


def _json(value: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def _now() -> int:
    return time.time_ns() // 1_000_000


class Rest:
    """The handlers, and the orders that rest."""

    def __init__(self, market: Market, users: Users) -> None:
        self._market = market
        self._users = users
        self._info = exchange_info()
        self._orders: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)  # by key and id
        self._ids = itertools.count(1)

    def application(self) -> web.Application:
        """The routes."""
        made = web.Application()
        made.add_routes(
            [
                web.get("/api/v3/ping", self._ping),
                web.get("/api/v3/time", self._time),
                web.get("/api/v3/exchangeInfo", self._exchange_info),
                web.get("/api/v3/depth", self._depth),
                web.get("/api/v3/account", self._account),
                web.get("/api/v3/openOrders", self._open_orders),
                web.get("/api/v3/myTrades", self._trades),
                web.get("/api/v3/order", self._order),
                web.post("/api/v3/order", self._place),
                web.delete("/api/v3/order", self._cancel),
            ]
        )
        return made

    async def _ping(self, request: web.Request) -> web.Response:
        return _json({})

    async def _time(self, request: web.Request) -> web.Response:
        return _json({"serverTime": _now()})

    async def _exchange_info(self, request: web.Request) -> web.Response:
        return web.Response(body=self._info, content_type="application/json")

    async def _depth(self, request: web.Request) -> web.Response:
        return _json(self._market.snapshot())

    async def _account(self, request: web.Request) -> web.Response:
        balances = [
            {"asset": asset, "free": "1000000000.00000000", "locked": "0.00000000"}
            for asset in (BASE, QUOTE)
        ]
        return _json({"accountType": "SPOT", "updateTime": _now(), "balances": balances})

    async def _open_orders(self, request: web.Request) -> web.Response:
        return _json(list(self._of(request).values()))

    async def _trades(self, request: web.Request) -> web.Response:
        return _json([])

    async def _order(self, request: web.Request) -> web.Response:
        order = self._of(request).get(request.query.get("origClientOrderId", ""))
        if order is None:
            return web.json_response({"code": -2013, "msg": "Order does not exist."}, status=400)
        return _json(order)

    async def _place(self, request: web.Request) -> web.Response:
        params = await _params(request)
        now = _now()
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
        self._of(request)[id_] = order
        self._report(request, order, "NEW", "", id_)
        return _json(order)

    async def _cancel(self, request: web.Request) -> web.Response:
        params = await _params(request)
        orders = self._of(request)
        order = _named(orders, params)
        if order is None:
            return web.json_response({"code": -2011, "msg": "Unknown order sent."}, status=400)
        id_ = order["clientOrderId"]
        del orders[id_]
        order |= {"status": "CANCELED", "transactTime": _now()}
        canceled = params.get("newClientOrderId") or f"c{next(self._ids)}"
        self._report(request, order, "CANCELED", id_, canceled)
        return _json({**order, "origClientOrderId": id_, "clientOrderId": canceled})

    def _of(self, request: web.Request) -> dict[str, dict[str, Any]]:
        """The orders of whoever asks, by client order id."""
        return self._orders[request.headers.get(_KEY, "")]

    def _report(
        self, request: web.Request, order: dict[str, Any], kind: str, original: str, id_: str
    ) -> None:
        """What the user data stream says of it."""
        event = {
            "e": "executionReport",
            "E": _now(),
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
        self._users.tell(request.headers.get(_KEY, ""), event)


def _named(orders: Mapping[str, dict[str, Any]], params: Params) -> dict[str, Any] | None:
    if "origClientOrderId" in params:
        return orders.get(params["origClientOrderId"])
    wanted = int(params.get("orderId", "0"))
    return next((order for order in orders.values() if order["orderId"] == wanted), None)


async def _params(request: web.Request) -> Params:
    """Wherever they travel: the query, a form, or both."""
    params = dict(request.query)
    if request.can_read_body:
        params.update({name: str(value) for name, value in (await request.post()).items()})
    return params
