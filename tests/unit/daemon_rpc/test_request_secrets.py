"""What is remembered of a request holds no secret."""

import pytest
from google.protobuf.message import Message

from cambist.v1 import accounts_pb2, trading_pb2, wallets_pb2
from daemon.rpc.secrets import without_secrets

SECRET = "hunter2"


@pytest.mark.parametrize(
    "request_",
    [
        wallets_pb2.ImportWalletRequest(request_id="r", name="n", private_key=SECRET),
        wallets_pb2.ImportWalletRequest(
            request_id="r", name="n", mnemonic=wallets_pb2.Mnemonic(phrase=SECRET)
        ),
        wallets_pb2.ImportWalletRequest(
            request_id="r", name="n", keystore=wallets_pb2.Keystore(json="{}", passphrase=SECRET)
        ),
        accounts_pb2.AddAccountRequest(
            request_id="r", account="n", credentials={"api_key": SECRET, "secret": SECRET}
        ),
        wallets_pb2.UnlockWalletsRequest(passphrase=SECRET),
    ],
)
def test_secrets_are_left_out_and_the_rest_stays(request_: Message) -> None:
    before = request_.SerializeToString()
    kept = without_secrets(request_)
    assert SECRET.encode() not in kept.SerializeToString()
    assert request_.SerializeToString() == before
    for name in ("request_id", "name", "account"):
        assert getattr(kept, name, "") == getattr(request_, name, "")


def test_a_request_without_secrets_is_not_copied() -> None:
    request = trading_pb2.PlaceOrderRequest(request_id="r")
    assert without_secrets(request) is request
