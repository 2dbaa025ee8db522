"""Several orders by one request: each has its own outcome, and each is sent at most once."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from cex.engine.account import ExchangeAccount
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.venues import catalogue
from core.clock import SystemClock
from core.errors import CambistError, Reason, Refused, Rejected, Unconfirmed
from core.orders import OrderReport, OrderRequest
from tests.integration.cex.conftest import REQUEST, Bench
from tests.support.cex_fixtures import load, payload
from tests.support.local_exchange import Answer, LocalExchange, Seen

BATCH, ONE = "POST /v5/order/create-batch", "POST /v5/order/create"


@dataclass
class Bybit:
    exchange: LocalExchange
    account: ExchangeAccount

    def requests(self, number: int) -> list[OrderRequest]:
        instrument = next(iter(self.account.venue.instruments))
        return [
            replace(REQUEST, client_order_id=f"CBT{n}", venue="bybit", instrument=instrument)
            for n in range(number)
        ]

    def answer(self, codes: list[int], **whole: Any) -> None:
        """Answers the next batches, with a code for each of their orders in turn."""

        def handler(seen: Seen) -> Answer:
            names = [row["orderLinkId"] for row in json.loads(seen.body)["request"]]
            told = [codes.pop(0) for _ in names]
            orders = [
                {"orderId": "" if code else f"at-{name}", "orderLinkId": name}
                for name, code in zip(names, told, strict=True)
            ]
            body = {"retCode": 0, "retMsg": "OK", "result": {"list": orders}}
            body["retExtInfo"] = {"list": [{"code": code, "msg": "said"} for code in told]}
            return Answer(json.dumps({**body, **whole}).encode())

        self.exchange.on(BATCH, handler)


@pytest.fixture
async def bybit() -> AsyncIterator[Bybit]:
    async with LocalExchange() as exchange:
        replies = {case["name"]: case for case in load("bybit").cases("replies")}
        exchange.on("GET /v5/market/instruments-info", payload(replies["instruments"]))
        now = {"retCode": 0, "result": {"timeNano": str(SystemClock().now())}}
        exchange.on("GET /v5/market/time", json.dumps(now).encode())
        hosts = {"rest": exchange.http, "stream": exchange.ws}
        market = ExchangeVenue(catalogue()["bybit"], SystemClock(), hosts)
        account = ExchangeAccount("main", market, Credentials("the-api-key", "the-secret-key"))
        await market.start()
        await exchange.until(market.loaded.is_set, "the instruments")
        yield Bybit(exchange, account)
        await market.stop()


def named(outcomes: Any) -> list[str]:
    return [
        one.venue_order_id if isinstance(one, OrderReport) else type(one).__name__
        for one in outcomes
    ]


async def test_each_order_of_a_batch_has_its_own_outcome(bybit: Bybit) -> None:
    bybit.answer([0, 170131, 10016, 0])
    requests = bybit.requests(5)
    requests[1] = replace(requests[1], quantity=REQUEST.quantity / 10**9)  # not to be sent
    found = await bybit.account.place_many(requests)
    assert named(found) == ["at-CBT0", "Refused", "Rejected", "Unconfirmed", "at-CBT4"]
    rejected, unconfirmed = found[2], found[3]
    assert isinstance(rejected, CambistError)
    assert rejected.reason is Reason.INSUFFICIENT_BALANCE
    assert isinstance(unconfirmed, CambistError)
    assert unconfirmed.reason is Reason.OUTCOME_UNKNOWN
    (seen,) = bybit.exchange.asked(BATCH)
    assert len(json.loads(seen.body)["request"]) == 4


async def test_more_than_a_batch_takes_goes_in_several(bybit: Bybit) -> None:
    bybit.answer([0] * 10)
    bybit.exchange.on(ONE, b'{"retCode": 0, "result": {"orderId": "9", "orderLinkId": "CBT10"}}')
    assert named(await bybit.account.place_many(bybit.requests(11))) == [
        *(f"at-CBT{n}" for n in range(10)),
        "9",  # what is left alone goes alone
    ]
    assert len(bybit.exchange.asked(BATCH)) == 1
    assert len(bybit.exchange.asked(ONE)) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(drop=True), Unconfirmed),
        (Answer(b"<html>", 502), Unconfirmed),
        (Answer(b'{"retCode": 10016, "retMsg": "Internal server error."}'), Unconfirmed),
        (Answer(b'{"retCode": 10003, "retMsg": "Invalid key."}'), Rejected),
        (
            Answer(
                b'{"retCode": 0, "result": {"list": [{"orderId": "1", "orderLinkId": "CBT0"}]},'
                b' "retExtInfo": {"list": [{"code": 0, "msg": ""}]}}'
            ),
            Unconfirmed,  # it names one of two
        ),
    ],
)
async def test_a_batch_that_fails_as_a_whole_fails_so_for_each(
    bybit: Bybit, answer: Answer, kind: type[CambistError]
) -> None:
    bybit.exchange.on(BATCH, lambda seen: answer)
    found = await bybit.account.place_many(bybit.requests(2))
    assert [type(one) for one in found] == [kind, kind]
    assert len(bybit.exchange.asked(BATCH)) == 1


async def test_a_venue_that_cannot_be_reached_was_sent_nothing(bybit: Bybit) -> None:
    bybit.account.venue.http._hosts["rest"] = "http://127.0.0.1:1"  # type: ignore[index]
    found = await bybit.account.place_many(bybit.requests(2))
    assert [type(one) for one in found] == [Refused, Refused]


async def test_where_the_venue_has_no_batches_each_goes_by_itself(bench: Bench) -> None:
    requests = [replace(REQUEST, client_order_id=f"CBT{n}") for n in range(3)]
    bad = replace(REQUEST, client_order_id="CBT9", instrument="NO-SUCH")
    found = await bench.account.place_many([*requests, bad])
    assert [type(one).__name__ for one in found] == ["OrderReport"] * 3 + ["Refused"]
    assert len(bench.exchange.asked("POST /api/v3/order")) == 3
