"""The signature schemes against worked examples of the venues' documentation."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from cex.engine.credentials import Credentials
from cex.engine.request import query_string
from cex.engine.signing import QuerySigner, hmac_or_ed25519
from cex.engine.spec import Draft, Layout, Moment

# The example keys of Binance's "SIGNED Endpoint Examples" (REST and websocket API).
KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
FULL_WIDTH = "１２３４５６"  # a symbol that is not ASCII, in the same chapter


@pytest.mark.parametrize(
    ("symbol", "signature"),
    [
        ("LTCBTC", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (FULL_WIDTH, "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"),
    ],
)
def test_hmac_of_a_query_string_as_documented(symbol: str, signature: str) -> None:
    query = query_string(
        {
            "symbol": symbol,
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": 1,
            "price": "0.1",
            "recvWindow": 5000,
            "timestamp": 1499827319559,
        }
    )
    assert hmac_or_ed25519(SECRET, query) == signature


@pytest.mark.parametrize(
    ("changed", "window", "signature"),
    [
        (
            {
                "symbol": "BTCUSDT",
                "price": "52000.00",
                "quantity": "0.01000000",
                "side": "SELL",
            },
            100,
            "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
        ),
        (
            {
                "symbol": FULL_WIDTH,
                "price": "0.10000000",
                "quantity": "1.00000000",
                "side": "BUY",
            },
            5000,
            "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
        ),
    ],
)
def test_parameters_of_the_websocket_api_as_documented(
    changed: dict[str, Any], window: int, signature: str
) -> None:
    signer = QuerySigner("X-MBX-APIKEY", receive_window=window)
    moment = Moment(1645423376532 * 1_000_000)
    params = {"type": "LIMIT", "timeInForce": "GTC", **changed}
    signed = signer.sign_parameters(params, Credentials(KEY, SECRET), moment)
    assert signed["signature"] == signature
    assert list(signed)[:-1] == sorted(list(signed)[:-1])


def test_a_private_key_signs_with_ed25519() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    signature = hmac_or_ed25519(pem, "payload")
    key.public_key().verify(base64.b64decode(signature), b"payload")
    signer = QuerySigner("X-MBX-APIKEY", receive_window=5000)
    draft = Draft("GET", "/path", Layout.QUERY, {"symbol": "BTCUSDT"})
    request = signer.sign(draft, Credentials(KEY, pem), Moment(1_000_000_000))
    assert "%3D" in request.query or "=" not in request.query.rpartition("signature=")[2]
    assert "PRIVATE" not in repr(request)
    with pytest.raises(ValueError):
        hmac_or_ed25519("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "x")


def test_credentials_show_nothing() -> None:
    credentials = Credentials(KEY, SECRET, "pass-phrase")
    assert KEY not in repr(credentials)
    assert SECRET not in f"{credentials}"
    assert credentials.redact(f"bad {KEY} {SECRET} pass-phrase") == "bad … … …"
