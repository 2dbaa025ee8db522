"""The REST side: market data, accounts with money, orders."""

import time
from typing import Any

import msgspec
from aiohttp import web

from bench.venue.market import Market
from bench.venue.orders import Orders, Params
from bench.venue.recording import BASE, QUOTE
from bench.venue.symbols import exchange_info


def _json(value: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def _now() -> int:
    return time.time_ns() // 1_000_000


class Rest:
    """The handlers."""

    def __init__(self, market: Market, orders: Orders) -> None:
        self._market = market
        self._orders = orders
        self._info = exchange_info()

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
        return _json(list(self._orders.of(_key(request)).values()))

    async def _trades(self, request: web.Request) -> web.Response:
        return _json([])

    async def _order(self, request: web.Request) -> web.Response:
        order = self._orders.of(_key(request)).get(request.query.get("origClientOrderId", ""))
        if order is None:
            return web.json_response({"code": -2013, "msg": "Order does not exist."}, status=400)
        return _json(order)

    async def _place(self, request: web.Request) -> web.Response:
        return _json(self._orders.place(_key(request), await _params(request)))

    async def _cancel(self, request: web.Request) -> web.Response:
        canceled = self._orders.cancel(_key(request), await _params(request))
        if canceled is None:
            return web.json_response({"code": -2011, "msg": "Unknown order sent."}, status=400)
        return _json(canceled)


def _key(request: web.Request) -> str:
    """Whose orders are meant."""
    return request.headers.get("X-MBX-APIKEY", "")


async def _params(request: web.Request) -> Params:
    """Wherever they travel: the query, a form, or both."""
    params = dict(request.query)
    if request.can_read_body:
        params.update({name: str(value) for name, value in (await request.post()).items()})
    return params
