"""ccxt's Binance, pointed at the local venue."""

from typing import Any

SYMBOL = "NKN/USDT"


def options() -> dict[str, Any]:
    """What the constructor of ccxt's binance takes. Its throttle is off: it would be measured."""
    return {
        "apiKey": "key0",
        "secret": "secret0",
        "enableRateLimit": False,
        "options": {
            "fetchMarkets": {"types": ["spot"]},
            "fetchCurrencies": False,
            "fetchMargins": False,
        },
    }


def localized(exchange: Any, rest: str, stream: str) -> Any:
    """The exchange with every address replaced, so that nothing can leave the machine."""
    api = exchange.urls["api"]
    api.update({name: f"{rest}/api/v3" for name, url in api.items() if isinstance(url, str)})
    api["ws"] = dict.fromkeys(api.get("ws", {}), f"{stream}/ws")
    return exchange
