"""The exchange's list of symbols: about as long as Binance's, and as wordy."""

import json
from typing import Any

from bench.venue.recording import BASE, QUOTE, SYMBOL

_COUNT = 2000


def exchange_info() -> bytes:
    """The reply to GET /api/v3/exchangeInfo."""
    symbols = [_symbol(SYMBOL, BASE, QUOTE)]
    symbols += [_symbol(f"C{n:04}USDT", f"C{n:04}", "USDT") for n in range(_COUNT - 1)]
    limits = [
        _limit("REQUEST_WEIGHT", "MINUTE", 1, 6000),
        _limit("ORDERS", "SECOND", 10, 100),
        _limit("ORDERS", "DAY", 1, 200_000),
    ]
    info = {"timezone": "UTC", "serverTime": 0, "rateLimits": limits, "exchangeFilters": []}
    return json.dumps({**info, "symbols": symbols}, separators=(",", ":")).encode()


def _limit(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def _symbol(symbol: str, base: str, quote: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": "0.00010000",
                "maxPrice": "1000.00000000",
                "tickSize": "0.00001000",
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": "1.00000000",
                "maxQty": "9000000.00000000",
                "stepSize": "1.00000000",
            },
            {"filterType": "ICEBERG_PARTS", "limit": 10},
            {
                "filterType": "NOTIONAL",
                "minNotional": "1.00000000",
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }
