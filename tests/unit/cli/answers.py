"""Some of everything that a daemon may answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from cambist.v1 import (
    accounts_pb2,
    chains_pb2,
    events_pb2,
    market_data_pb2,
    sandbox_pb2,
    swaps_pb2,
    system_pb2,
    trading_pb2,
    venues_pb2,
    wallets_pb2,
)
from core.errors import Reason, Refused
from tests.support.fake_daemon import Answer

NOW = Timestamp(seconds=1_700_000_000, nanos=123_000_000)
READY = system_pb2.Condition(health=system_pb2.HEALTH_READY, since=NOW)
DOWN = system_pb2.Condition(health=system_pb2.HEALTH_DOWN, reason="no answer", since=NOW)
POOL_VENUE = "uniswap_v2@ethereum_local"
TOKEN_ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
HASH = "0x" + "ab" * 32

ETH = chains_pb2.Token(network="ethereum_local", symbol="ETH", decimals=18, name="Ether")
USDC = chains_pb2.Token(
    network="ethereum_local", address=TOKEN_ADDRESS, symbol="USDC", decimals=6, name="USD Coin"
)


def amount(token: chains_pb2.Token, text: str, units: str) -> chains_pb2.TokenAmount:
    return chains_pb2.TokenAmount(token=token, amount=text, units=units)


VENUES = [
    venues_pb2.Venue(
        id="paper",
        name="Paper",
        kind=venues_pb2.VENUE_KIND_SPOT,
        capabilities=["limit", "market", "order_book"],
        standing=venues_pb2.STANDING_GREEN,
        standing_since="2026-11-22",
        standing_evidence="tests",
        condition=READY,
        clock_offset=Duration(nanos=1_500_000),
    ),
    venues_pb2.Venue(
        id=POOL_VENUE,
        kind=venues_pb2.VENUE_KIND_POOL,
        capabilities=["swap"],
        network="ethereum_local",
        standing=venues_pb2.STANDING_YELLOW,
        condition=DOWN,
    ),
]
INSTRUMENT = venues_pb2.Instrument(
    venue="paper",
    id="ETH-USDC",
    kind=venues_pb2.INSTRUMENT_KIND_SPOT,
    base="ETH",
    quote="USDC",
    price_tick="0.01",
    quantity_step="0.0001",
    min_quantity="0.001",
    status=venues_pb2.INSTRUMENT_STATUS_TRADING,
)
SPEC = trading_pb2.OrderSpec(
    account="paper",
    venue="paper",
    instrument="ETH-USDC",
    side=trading_pb2.SIDE_BUY,
    type=trading_pb2.ORDER_TYPE_LIMIT,
    quantity="1.5",
    price="2900.10",
    time_in_force=trading_pb2.TIME_IN_FORCE_GTC,
)
ORDER = trading_pb2.Order(
    client_order_id="c0ffee",
    venue_order_id="77",
    request_id="r1",
    spec=SPEC,
    status=trading_pb2.ORDER_STATUS_PARTIALLY_FILLED,
    filled_quantity="0.5",
    remaining_quantity="1",
    average_price="2900.1",
    create_time=NOW,
    update_time=NOW,
)
FILL = trading_pb2.Fill(
    trade_id="t1",
    venue="paper",
    account="paper",
    instrument="ETH-USDC",
    client_order_id="c0ffee",
    side=trading_pb2.SIDE_BUY,
    price="2900.1",
    quantity="0.5",
    fee="1.45",
    fee_asset="USDC",
    liquidity=trading_pb2.LIQUIDITY_TAKER,
    event_time=NOW,
    details={"block": "7"},
)
BALANCES = [
    accounts_pb2.Balance(
        account="paper", venue="paper", asset="USDC", total="100000", available="97099.9"
    ),
    accounts_pb2.Balance(
        account="trader",
        venue="ethereum_local",
        asset="USDC",
        total="12.345678",
        available="12.345678",
        token=TOKEN_ADDRESS,
        units="12345678",
    ),
    accounts_pb2.Balance(account="paper", venue="paper", asset="DUST", total="0", available="0"),
]
ACCOUNTS = [
    accounts_pb2.Account(id="paper", venues=["paper", "paper_perpetual"], condition=READY),
    accounts_pb2.Account(id="trader", venues=[POOL_VENUE], condition=READY, address="0x1"),
    accounts_pb2.Account(id="second", venues=[POOL_VENUE], condition=READY, address="0x2"),
]
WALLETS = [
    wallets_pb2.Wallet(
        name="trader", family=chains_pb2.CHAIN_FAMILY_EVM, address="0x1", is_default=True
    ),
    wallets_pb2.Wallet(name="second", family=chains_pb2.CHAIN_FAMILY_EVM, address="0x2"),
]
NETWORK = chains_pb2.Network(
    id="ethereum_local",
    family=chains_pb2.CHAIN_FAMILY_EVM,
    chain_id=31337,
    native=ETH,
    condition=READY,
    height=9,
    testnet=True,
)
TRANSACTION = chains_pb2.Transaction(
    network="ethereum_local",
    hash=HASH,
    address="0x1",
    purpose="swap",
    status=chains_pb2.TRANSACTION_STATUS_BROADCAST,
    nonce=4,
    update_time=NOW,
)
INCLUDED = chains_pb2.Transaction(
    network="ethereum_local",
    hash=HASH,
    purpose="swap",
    status=chains_pb2.TRANSACTION_STATUS_INCLUDED,
    succeeded=True,
    block=10,
    fee="0.00021",
)
POOL = swaps_pb2.Pool(
    venue=POOL_VENUE,
    address=TOKEN_ADDRESS,
    reserves=[amount(ETH, "50", "50000000000000000000"), amount(USDC, "150000", "150000000000")],
    fee="0.003",
    block=9,
    instrument="WETH-USDC",
)
QUOTE = swaps_pb2.Quote(
    id="q1",
    venue=POOL_VENUE,
    mode=swaps_pb2.SWAP_MODE_EXACT_IN,
    amount_in=amount(ETH, "1", "1000000000000000000"),
    amount_out=amount(USDC, "2931.123456", "2931123456"),
    guaranteed=amount(USDC, "2916.467838", "2916467838"),
    slippage="0.005",
    price="2931.123456",
    price_impact="0.019607843137254901960784313725490196",
    pools=[TOKEN_ADDRESS],
    block=9,
    create_time=NOW,
    expire_time=NOW,
    plan="swap 1 ETH in 1 pool",
)
STATUS = system_pb2.Status(
    state=system_pb2.DAEMON_STATE_READY,
    components=[
        system_pb2.Component(kind="venue", id="paper", condition=READY),
        system_pb2.Component(kind="venue", id=POOL_VENUE, condition=DOWN),
    ],
    start_time=NOW,
    event_sequence=3,
)
BOOK = market_data_pb2.OrderBook(
    kind=market_data_pb2.EVENT_KIND_SNAPSHOT,
    state=market_data_pb2.BOOK_STATE_LIVE,
    sequence=1,
    bid_prices=["2999.5", "2999"],
    bid_quantities=["1.25", "3"],
    ask_prices=["3000.5"],
    ask_quantities=["0.0001"],
    event_time=NOW,
)
CANDLE = market_data_pb2.Candle(
    open_time=NOW,
    open="1",
    high="2",
    low="0.5",
    close="1.5",
    volume="100",
    quote_volume="150",
    closed=True,
    interval=Duration(seconds=60),
)
TRADE = market_data_pb2.Trade(
    trade_id="1", side=trading_pb2.SIDE_SELL, price="3000", quantity="0.1", event_time=NOW
)
TICKER = market_data_pb2.Ticker(bid_price="2999.5", ask_price="3000.5", event_time=NOW)
FUNDING = market_data_pb2.Funding(
    rate="0.0001", next_time=NOW, mark_price="3000", index_price="3001"
)
EVENTS = [
    events_pb2.Event(sequence=1, time=NOW, order=ORDER),
    events_pb2.Event(sequence=2, time=NOW, fill=FILL),
    events_pb2.Event(
        sequence=3,
        time=NOW,
        account_notice=events_pb2.AccountNotice(
            account="paper", kind="reconciled", message="all is well"
        ),
    ),
]


async def _order(request: Any) -> trading_pb2.GetOrderResponse:
    right = request.client_order_id == "c0ffee" or request.request_id == "r1"
    if request.account != "paper" or not right:
        raise Refused(Reason.ORDER_NOT_FOUND, "no such order", {"order": request.client_order_id})
    return trading_pb2.GetOrderResponse(order=ORDER)


async def _venue(request: Any) -> venues_pb2.GetVenueResponse:
    for venue in VENUES:
        if venue.id == request.venue:
            return venues_pb2.GetVenueResponse(venue=venue)
    raise Refused(
        Reason.VENUE_NOT_FOUND,
        f"no venue {request.venue!r}; did you mean 'paper'?",
        {"venue": request.venue, "known": "paper"},
    )


async def _swap(request: swaps_pb2.SwapRequest) -> swaps_pb2.SwapResponse:
    sent = None if request.dry_run else TRANSACTION
    return swaps_pb2.SwapResponse(transaction=sent, quote=QUOTE)


async def _place_orders(request: Any) -> trading_pb2.PlaceOrdersResponse:
    outcomes = [
        trading_pb2.PlaceOrdersOutcome(request_id=item.request_id, order=ORDER)
        if item.order.price != "1"
        else trading_pb2.PlaceOrdersOutcome(
            request_id=item.request_id, error_reason="ORDER_REJECTED", error_message="too low"
        )
        for item in request.items
    ]
    return trading_pb2.PlaceOrdersResponse(outcomes=outcomes)


def _stream(*parts: Any) -> Any:
    """A stream that says all it has and then ends with an error that is not retried."""

    async def stream(_: object) -> AsyncIterator[Any]:
        for part in parts:
            yield part
        await asyncio.sleep(0)
        raise Refused(Reason.UNSUPPORTED_BY_VENUE, "the test ends here")

    return stream


def answers() -> dict[str, Answer]:
    """By method."""
    change = market_data_pb2.EVENT_KIND_CHANGE
    whole = market_data_pb2.EVENT_KIND_SNAPSHOT
    m, t, a, c, w, s = (
        market_data_pb2,
        trading_pb2,
        accounts_pb2,
        chains_pb2,
        wallets_pb2,
        swaps_pb2,
    )
    return {
        "get_status": system_pb2.GetStatusResponse(status=STATUS),
        "stream_status": _stream(system_pb2.StreamStatusResponse(status=STATUS)),
        "shutdown": system_pb2.ShutdownResponse(),
        "list_venues": venues_pb2.ListVenuesResponse(venues=VENUES),
        "get_venue": _venue,
        "list_instruments": venues_pb2.ListInstrumentsResponse(instruments=[INSTRUMENT]),
        "get_instrument": venues_pb2.GetInstrumentResponse(instrument=INSTRUMENT),
        "list_rate_limits": venues_pb2.ListRateLimitsResponse(
            rate_limits=[
                venues_pb2.RateLimit(
                    venue="paper",
                    scope="ip",
                    name="weight",
                    limit=6000,
                    used=12,
                    interval=Duration(seconds=60),
                )
            ]
        ),
        "get_order_book": m.GetOrderBookResponse(order_book=BOOK),
        "stream_order_book": _stream(m.StreamOrderBookResponse(events=[BOOK])),
        "get_ticker": m.GetTickerResponse(ticker=TICKER),
        "stream_ticker": _stream(
            m.StreamTickerResponse(events=[m.TickerEvent(kind=whole, ticker=TICKER)])
        ),
        "list_trades": m.ListTradesResponse(trades=[TRADE, TRADE]),
        "stream_trades": _stream(
            m.StreamTradesResponse(events=[m.TradeEvent(kind=change, trade=TRADE)] * 2)
        ),
        "list_candles": m.ListCandlesResponse(candles=[CANDLE]),
        "stream_candles": _stream(
            m.StreamCandlesResponse(events=[m.CandleEvent(kind=change, candle=CANDLE)])
        ),
        "get_funding": m.GetFundingResponse(funding=FUNDING),
        "stream_funding": _stream(
            m.StreamFundingResponse(events=[m.FundingEvent(kind=whole, funding=FUNDING)])
        ),
        "place_order": t.PlaceOrderResponse(order=ORDER),
        "place_orders": _place_orders,
        "replace_order": t.ReplaceOrderResponse(order=ORDER),
        "cancel_order": t.CancelOrderResponse(order=ORDER),
        "cancel_all_orders": t.CancelAllOrdersResponse(orders=[ORDER]),
        "get_order": _order,
        "list_orders": t.ListOrdersResponse(orders=[ORDER]),
        "list_fills": t.ListFillsResponse(fills=[FILL]),
        "explain_order": t.ExplainOrderResponse(
            steps=[t.OrderStep(time=NOW, kind="sent", summary="to paper", detail_json="{}")]
        ),
        "list_accounts": a.ListAccountsResponse(accounts=ACCOUNTS),
        "get_account": a.GetAccountResponse(account=ACCOUNTS[0]),
        "add_account": a.AddAccountResponse(account=ACCOUNTS[0], warnings=["may withdraw"]),
        "remove_account": a.RemoveAccountResponse(),
        "list_balances": a.ListBalancesResponse(
            balances=BALANCES,
            unavailable=[
                a.UnavailableAccount(account="main", venue="binance", message="binance is silent")
            ],
        ),
        "list_positions": a.ListPositionsResponse(
            positions=[
                a.Position(
                    account="paper", instrument="ETH-USDC-PERP", quantity="-2", entry_price="3000"
                )
            ]
        ),
        "get_fee_rates": a.GetFeeRatesResponse(
            fee_rates=a.FeeRates(account="paper", maker="0.0001", taker="0.0005")
        ),
        "list_funding_payments": a.ListFundingPaymentsResponse(
            funding_payments=[
                a.FundingPayment(account="paper", amount="-0.5", asset="USDC", rate="0.0001")
            ]
        ),
        "set_leverage": a.SetLeverageResponse(),
        "set_margin_mode": a.SetMarginModeResponse(),
        "set_position_mode": a.SetPositionModeResponse(),
        "list_events": events_pb2.ListEventsResponse(events=EVENTS),
        "stream_events": _stream(events_pb2.StreamEventsResponse(events=EVENTS, resume_token="t3")),
        "list_networks": c.ListNetworksResponse(networks=[NETWORK]),
        "get_network": c.GetNetworkResponse(network=NETWORK),
        "list_tokens": c.ListTokensResponse(tokens=[USDC]),
        "get_token": c.GetTokenResponse(token=USDC),
        "add_token": c.AddTokenResponse(token=USDC),
        "remove_token": c.RemoveTokenResponse(),
        "get_transaction": c.GetTransactionResponse(transaction=INCLUDED),
        "list_transactions": c.ListTransactionsResponse(transactions=[TRANSACTION]),
        "estimate_fees": c.EstimateFeesResponse(
            estimates=[
                c.FeeEstimate(
                    strategy=c.FEE_STRATEGY_SLOW, transfer_fee="0.00002", unit_price="0.000000001"
                )
            ]
        ),
        "speed_up_transaction": c.SpeedUpTransactionResponse(transaction=TRANSACTION),
        "cancel_transaction": c.CancelTransactionResponse(transaction=TRANSACTION),
        "list_wallets": w.ListWalletsResponse(
            wallets=WALLETS, state=wallets_pb2.WALLET_STATE_UNLOCKED
        ),
        "create_wallet": w.CreateWalletResponse(wallet=WALLETS[0]),
        "import_wallet": w.ImportWalletResponse(wallet=WALLETS[0]),
        "remove_wallet": w.RemoveWalletResponse(),
        "set_default_wallet": w.SetDefaultWalletResponse(),
        "unlock_wallets": w.UnlockWalletsResponse(),
        "lock_wallets": w.LockWalletsResponse(),
        "list_wallet_balances": w.ListWalletBalancesResponse(balances=BALANCES),
        "transfer": w.TransferResponse(transaction=TRANSACTION),
        "wrap": w.WrapResponse(transaction=TRANSACTION),
        "unwrap": w.UnwrapResponse(transaction=TRANSACTION),
        "approve": w.ApproveResponse(transaction=TRANSACTION),
        "list_approvals": w.ListApprovalsResponse(
            allowances=[
                w.Allowance(venue=POOL_VENUE, spender="0x9", amount=amount(USDC, "5", "5000000"))
            ]
        ),
        "add_fault": sandbox_pb2.AddFaultResponse(),
        "list_faults": sandbox_pb2.ListFaultsResponse(
            faults=[
                sandbox_pb2.Fault(
                    kind=sandbox_pb2.FAULT_KIND_RATE_LIMIT,
                    venue="paper_perpetual",
                    account="paper_perpetual",
                    operation="place",
                    instrument="ETH-USDC-PERP",
                    times=3,
                    delay=Duration(nanos=500_000_000),
                )
            ]
        ),
        "clear_faults": sandbox_pb2.ClearFaultsResponse(),
        "list_pools": s.ListPoolsResponse(pools=[POOL]),
        "get_pool": s.GetPoolResponse(pool=POOL),
        "get_quote": s.GetQuoteResponse(quote=QUOTE),
        "stream_quotes": _stream(s.StreamQuotesResponse(quote=QUOTE)),
        "swap": _swap,
    }
