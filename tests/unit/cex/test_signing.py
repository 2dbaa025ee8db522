"""The signature schemes against worked examples of the venues' documentation."""

import base64
import hmac
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
from cex.engine.signing import (
    LinesSigner,
    NonceSigner,
    PassphraseSigner,
    QuerySigner,
    hmac_or_ed25519,
)
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


@pytest.mark.parametrize(
    ("draft", "signature"),
    [
        (
            Draft(
                "GET",
                "/api/v4/futures/orders",
                Layout.QUERY,
                {"contract": "BTC_USD", "status": "finished", "limit": 50},
            ),
            "55f84ea195d6fe57ce62464daaa7c3c02fa9d1dde954e4c898289c9a2407a3d6"
            "fb3faf24deff16790d726b66ac9f74526668b13bd01029199cc4fcc522418b8a",
        ),
        (
            Draft(
                "POST",
                "/api/v4/futures/orders",
                Layout.JSON,
                {
                    "contract": "BTC_USD",
                    "type": "limit",
                    "size": 100,
                    "price": 6800,
                    "time_in_force": "gtc",
                },
            ),
            "eae42da914a590ddf727473aff25fc87d50b64783941061f47a3fdb92742541f"
            "c4c2c14017581b4199a1418d54471c269c03a38d788d802e2c306c37636389f0",
        ),
    ],
)
def test_gates_documented_signatures(draft: Draft, signature: str) -> None:
    moment = Moment(1541993715_900_000_000)
    made = LinesSigner(valid=5_000_000_000).sign(draft, Credentials("key", "secret"), moment)
    assert made.headers["SIGN"] == signature
    assert made.headers["KEY"] == "key"
    assert made.headers["Timestamp"] == "1541993715"
    expires = made.headers.get("x-gate-exptime")
    assert expires == (None if draft.method == "GET" else "1541993720900")


def test_a_passphrase_of_a_versioned_key_goes_signed() -> None:
    """As KuCoin describes it: what is signed is not percent-encoded, the passphrase is."""
    draft = Draft("GET", "/api/v1/sub/api-key", Layout.QUERY, {"passphrase": "abc!@#11"})
    made = PassphraseSigner("KC-API", "3").sign(
        draft, Credentials("key", "secret", "words"), Moment(1547015186532_000_000)
    )
    assert made.target == "/api/v1/sub/api-key?passphrase=abc%21%40%2311"

    def signed(payload: str) -> str:
        return base64.b64encode(hmac.digest(b"secret", payload.encode(), "sha256")).decode()

    assert dict(made.headers) == {
        "KC-API-KEY-VERSION": "3",
        "KC-API-KEY": "key",
        "KC-API-TIMESTAMP": "1547015186532",
        "KC-API-PASSPHRASE": signed("words"),
        "KC-API-SIGN": signed("1547015186532GET/api/v1/sub/api-key?passphrase=abc!@#11"),
    }


KRAKENS_SECRET = (
    "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
)


def test_krakens_documented_signature() -> None:
    params = {"ordertype": "limit", "pair": "XBTUSD", "price": "37500", "type": "buy"}
    draft = Draft("POST", "/0/private/AddOrder", Layout.FORM, {**params, "volume": "1.25"})
    made = NonceSigner().sign(draft, Credentials("key", KRAKENS_SECRET), Moment(0, 1616492376594))
    assert made.body == (
        b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
    )
    assert made.headers == {
        "API-Key": "key",
        "Content-Type": "application/x-www-form-urlencoded",
        "API-Sign": "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnR"
        "fp32bAb0nmbRn6H8ndwLUQ==",
    }


def test_a_secret_that_is_not_base64_is_a_value_error() -> None:
    draft = Draft("POST", "/0/private/Balance", Layout.FORM, {})
    with pytest.raises(ValueError):
        NonceSigner().sign(draft, Credentials("key", "no base64!"), Moment(0, 1))
