"""Binance's behaviour on a LocalExchange: a market with depth streams, and an account.

The account keeps orders by client id, signs nothing, checks timestamps, and can be told to
misbehave: `place_mode` decides what becomes of the next orders.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket

SYMBOL = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "baseAssetPrecision": 8,
    "quotePrecision": 8,
    "isSpotTradingAllowed": True,
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01",
            "maxPrice": "1000000.00",
            "tickSize": "0.01",
        },
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001"},
        {"filterType": "NOTIONAL", "minNotional": "5.00"},
    ],
}


def error(code: int, text: str, status: int = 400, **headers: str) -> Answer:
    """The venue's error reply."""
    body = json.dumps({"code": code, "msg": text}).encode()
    return Answer(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


# What the websocket API calls by another name; the reply is the same.
CALLS = {
    "order.place": "POST /api/v3/order",
    "order.cancel": "DELETE /api/v3/order",
    "order.cancelReplace": "POST /api/v3/order/cancelReplace",
    "order.amend.keepPriority": "PUT /api/v3/order/amend/keepPriority",
    "openOrders.cancelAll": "DELETE /api/v3/openOrders",
}


class BinanceServer:
    """The scripted venue."""

    def __init__(self, exchange: LocalExchange) -> None:
        self.exchange = exchange
        self.skew_ms = 0
        self.update_id = 100
        self.bids = {"100.00": "1.0", "99.00": "2.0"}
        self.asks = {"101.00": "1.0", "102.00": "2.0"}
        self.orders: dict[str, dict[str, Any]] = {}
        self.trades: list[dict[str, Any]] = []
        self.place_mode: Callable[[dict[str, Any]], Answer | None] = lambda order: None
        self.login_error: tuple[int, str] | None = None
        self.topics: set[str] = set()
        self.refused_topics: set[str] = set()
        exchange.on_frame = self._frame
        exchange.on("GET /api/v3/time", lambda seen: self._json({"serverTime": self.now()}))
        exchange.on("GET /api/v3/exchangeInfo", lambda seen: self._json({"symbols": [SYMBOL]}))
        exchange.on("GET /api/v3/depth", lambda seen: self._json(self.depth()))
        exchange.on("POST /api/v3/order", self._signed(self._place))
        exchange.on("GET /api/v3/order", self._signed(self._query))
        exchange.on("DELETE /api/v3/order", self._signed(self._cancel))
        exchange.on("GET /api/v3/openOrders", self._signed(self._open_orders))
        exchange.on("GET /api/v3/account", self._signed(self._account))
        exchange.on("GET /api/v3/myTrades", self._signed(lambda seen: self._json(self.trades)))

    @property
    def hosts(self) -> dict[str, str]:
        """For ExchangeVenue."""
        return {"rest": self.exchange.http, "stream": self.exchange.ws, "ws_api": self.exchange.ws}

    def now(self) -> int:
        """The venue's clock, ms."""
        return time.time_ns() // 1_000_000 + self.skew_ms

    def depth(self) -> dict[str, Any]:
        """The book by REST."""
        return {
            "lastUpdateId": self.update_id,
            "bids": [list(level) for level in self.bids.items()],
            "asks": [list(level) for level in self.asks.items()],
        }

    # -- streams -----------------------------------------------------------------------------------

    @property
    def market_sockets(self) -> list[Socket]:
        """Clients of the market streams."""
        return [s for s in self.exchange.sockets if s.path.startswith("/stream")]

    @property
    def account_sockets(self) -> list[Socket]:
        """Clients of the websocket API."""
        return [s for s in self.exchange.sockets if s.path.startswith("/ws-api")]

    def change(self, bids: dict[str, str], asks: dict[str, str], send: bool = True) -> bytes:
        """Changes the book by one update, and tells the subscribers."""
        self.update_id += 1
        for side, changes in ((self.bids, bids), (self.asks, asks)):
            for price, quantity in changes.items():
                if float(quantity):
                    side[price] = quantity
                else:
                    side.pop(price, None)
        frame = self.diff(self.update_id, self.update_id, bids, asks)
        if send:
            self.tell(frame)
        return frame

    def diff(self, first: int, last: int, bids: dict[str, str], asks: dict[str, str]) -> bytes:
        """A depth frame."""
        data = {
            "e": "depthUpdate",
            "E": self.now(),
            "s": "BTCUSDT",
            "U": first,
            "u": last,
            "b": [list(level) for level in bids.items()],
            "a": [list(level) for level in asks.items()],
        }
        return json.dumps({"stream": "btcusdt@depth@100ms", "data": data}).encode()

    def tell(self, *frames: bytes) -> None:
        """Sends frames to all market clients."""
        for socket in self.market_sockets:
            socket.send(*frames)

    def report(self, event: dict[str, Any]) -> None:
        """Sends an event to the account's stream."""
        for socket in self.account_sockets:
            socket.send(json.dumps({"subscriptionId": 0, "event": event}).encode())

    def execution(self, order: dict[str, Any], kind: str, **extra: Any) -> dict[str, Any]:
        """An execution report of an order."""
        return {
            "e": "executionReport",
            "E": self.now(),
            "s": order["symbol"],
            "c": order["clientOrderId"],
            "S": order["side"],
            "o": order["type"],
            "f": order["timeInForce"],
            "q": order["origQty"],
            "p": order["price"],
            "P": "0.00000000",
            "C": "",
            "x": kind,
            "X": order["status"],
            "r": "NONE",
            "i": order["orderId"],
            "l": "0.00000000",
            "z": order["executedQty"],
            "L": "0.00000000",
            "n": "0",
            "N": None,
            "T": self.now(),
            "t": -1,
            "m": False,
            "Z": order["cummulativeQuoteQty"],
            **extra,
        }

    def fill(self, name: str, quantity: str, price: str, tell: bool = True) -> None:
        """Trades an order, whole."""
        order = self.orders[name]
        order |= {"executedQty": quantity, "status": "FILLED"}
        order["cummulativeQuoteQty"] = str(float(quantity) * float(price))
        trade_id = 500 + len(self.trades)
        self.trades.append(
            {
                "symbol": "BTCUSDT",
                "id": trade_id,
                "orderId": order["orderId"],
                "price": price,
                "qty": quantity,
                "commission": "0.1",
                "commissionAsset": "USDT",
                "time": self.now(),
                "isBuyer": order["side"] == "BUY",
                "isMaker": True,
            }
        )
        if tell:
            extra = {"l": quantity, "L": price, "n": "0.1", "N": "USDT", "t": trade_id, "m": True}
            self.report(self.execution(order, "TRADE", **extra))

    def _call(self, socket: Socket, message: dict[str, Any]) -> None:
        """A command over the websocket API: scripted and recorded as the same by REST."""
        method, _, path = CALLS[message["method"]].partition(" ")
        params = {name: str(value) for name, value in message["params"].items()}
        headers = {"X-MBX-APIKEY": params.pop("apiKey"), "Way": "socket"}
        seen = Seen(method, path, params, {}, headers, path)
        self.exchange.requests.append(seen)
        answer = self.exchange.answer(seen)
        if answer.drop:
            socket.drop()
        elif not answer.hang:
            part = b"result" if answer.status == 200 else b"error"
            head = json.dumps({"id": message["id"], "status": answer.status}).encode()
            socket.send(head[:-1] + b', "%s": %s}' % (part, answer.body))

    def _frame(self, socket: Socket, payload: bytes) -> None:
        message = json.loads(payload)
        if message["method"] in CALLS:
            self._call(socket, message)
            return
        if message["method"] == "userDataStream.subscribe.signature":
            if self.login_error is None:
                answer = {"id": message["id"], "status": 200, "result": {"subscriptionId": 0}}
            else:
                code, text = self.login_error
                fault = {"code": code, "msg": text}
                answer = {"id": message["id"], "status": 400, "error": fault}
        else:
            wanted = set(message["params"])
            if message["method"] == "SUBSCRIBE" and wanted & self.refused_topics:
                answer = {"code": 2, "msg": "Invalid request: unknown stream", "id": message["id"]}
            else:
                if message["method"] == "SUBSCRIBE":
                    self.topics |= wanted
                else:
                    self.topics -= wanted
                answer = {"result": None, "id": message["id"]}
        socket.send(json.dumps(answer).encode())

    # -- the account -------------------------------------------------------------------------------

    def _json(self, value: object) -> Answer:
        return Answer(json.dumps(value).encode(), headers={"X-MBX-USED-WEIGHT-1M": "7"})

    def _signed(self, handler: Callable[[Seen], Answer]) -> Callable[[Seen], Answer]:
        def check(seen: Seen) -> Answer:
            if "signature" not in seen.params or "X-MBX-APIKEY" not in seen.headers:
                return error(-1022, "Signature for this request is not valid.")
            stamp, now = int(seen.params["timestamp"]), self.now()
            if not (stamp < now + 1000 and now - stamp <= int(seen.params["recvWindow"])):
                return error(-1021, "Timestamp for this request is outside of the recvWindow.")
            return handler(seen)

        return check

    def _place(self, seen: Seen) -> Answer:
        params = seen.params
        name = params["newClientOrderId"]
        if name in self.orders:
            return error(-2010, "Duplicate order sent.")
        order = {
            "symbol": params["symbol"],
            "orderId": 1000 + len(self.orders),
            "clientOrderId": name,
            "transactTime": self.now(),
            "updateTime": self.now(),
            "time": self.now(),
            "price": params.get("price", "0.00000000"),
            "origQty": params["quantity"],
            "executedQty": "0.00000000",
            "cummulativeQuoteQty": "0.00000000",
            "status": "NEW",
            "timeInForce": params.get("timeInForce", "GTC"),
            "type": params["type"],
            "side": params["side"],
            "fills": [],
        }
        bad = self.place_mode(order)
        if bad is not None:
            return bad
        self.orders[name] = order
        return self._json(order)

    def _find(self, seen: Seen) -> dict[str, Any] | None:
        for order in self.orders.values():
            if str(order["orderId"]) == seen.params.get("orderId"):
                return order
        return self.orders.get(seen.params.get("origClientOrderId", ""))

    def _query(self, seen: Seen) -> Answer:
        order = self._find(seen)
        return error(-2013, "Order does not exist.") if order is None else self._json(order)

    def _cancel(self, seen: Seen) -> Answer:
        order = self._find(seen)
        if order is None or order["status"] not in ("NEW", "PARTIALLY_FILLED"):
            return error(-2011, "Unknown order sent.")
        order["status"] = "CANCELED"
        name = order["clientOrderId"]
        return self._json({**order, "origClientOrderId": name, "clientOrderId": "the-cancel"})

    def _open_orders(self, seen: Seen) -> Answer:
        return self._json([o for o in self.orders.values() if o["status"] == "NEW"])

    def _account(self, seen: Seen) -> Answer:
        balances = [
            {"asset": "USDT", "free": "1000.00", "locked": "5.00"},
            {"asset": "BTC", "free": "0.50", "locked": "0.00"},
        ]
        return self._json({"updateTime": self.now(), "balances": balances})
