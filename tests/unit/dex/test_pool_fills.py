"""Fills from receipts, also those of tokens that do not tell the truth."""

from dataclasses import replace
from decimal import Decimal

import pytest

from chains.evm.abi import address_word, uint_word
from chains.evm.erc20 import TRANSFER_TOPIC
from chains.evm.model import Log, Receipt
from chains.networks import NETWORKS
from core.orders import Fill, Side
from core.tokens import Token
from core.transactions import Transaction, TransactionStatus
from dex.families.constant_product_abi import SWAP_TOPIC
from dex.fills import fill, realised
from tests.support.pool_fakes import ETHER, NETWORK, OWNER, USDC, WETH, address, market

NATIVE = NETWORKS[NETWORK].info.native
POOL = market()
ROUTER = address(51)


def log(contract: str, topics: list[bytes], data: bytes) -> Log:
    return Log(contract, tuple(topics), data, 9, "0xb", "0xaa", 3)


def transfer(token: Token, sender: str, recipient: str, units: int) -> Log:
    topics = [TRANSFER_TOPIC, address_word(sender), address_word(recipient)]
    return log(token.address, topics, uint_word(units))


def swap(usdc_in: int, weth_in: int, usdc_out: int, weth_out: int) -> Log:
    topics = [SWAP_TOPIC, address_word(ROUTER), address_word(OWNER)]
    data = b"".join(map(uint_word, (usdc_in, weth_in, usdc_out, weth_out)))
    return log(POOL.address, topics, data)


def receipt(*logs: Log) -> Receipt:
    return Receipt("0xaa", True, 9, "0xb", 100_000, 2 * 10**9, logs)


BOUGHT = receipt(
    transfer(USDC, OWNER, POOL.address, 3_010_000_000),
    transfer(WETH, POOL.address, OWNER, ETHER),
    swap(3_010_000_000, 0, 0, ETHER),
)


def fill_of(done: Receipt, token_in: Token, token_out: Token, **details: str) -> Fill:
    transaction = Transaction(
        network=NETWORK,
        address=OWNER,
        intent="order",
        purpose="swap",
        hash="0xaa",
        raw=b"",
        status=TransactionStatus.INCLUDED,
        details=details,
    )
    return fill(transaction, done, POOL, (token_in, token_out), NATIVE, "v", "a", 5)


def test_a_purchase_is_what_the_receipt_says_and_not_the_quote() -> None:
    told = fill_of(
        BOUGHT,
        USDC,
        WETH,
        quoted_in="2900000000",
        quoted_out=str(ETHER),
        guaranteed="3100000000",
        exact_in="0",
        quoted_block="8",
    )
    assert (told.side, told.quantity, told.price) == (Side.BUY, Decimal(1), Decimal(3010))
    assert told.fee == Decimal("0.0002")
    assert told.fee_asset == "ETH"
    assert told.trade_id == "0xaa:0"
    assert told.details["quoted_price"] == "2900"
    assert told.details["guaranteed_price"] == "3100"
    assert told.details["realised_price"] == "3010"
    assert told.details["block"] == "9"


def test_a_sale() -> None:
    done = receipt(
        transfer(WETH, OWNER, POOL.address, 2 * ETHER),
        transfer(USDC, POOL.address, OWNER, 5_980_000_001),
        swap(0, 2 * ETHER, 5_980_000_001, 0),
    )
    told = fill_of(done, WETH, USDC)
    assert (told.side, told.quantity) == (Side.SELL, Decimal(2))
    assert told.price == Decimal("2990.0000005")
    assert told.details["notional"] == "5980.000001"


def test_the_native_side_has_the_pairs_figures() -> None:
    bought = receipt(
        transfer(WETH, ROUTER, POOL.address, ETHER),
        transfer(USDC, POOL.address, OWNER, 2_990_000_000),
        swap(0, ETHER, 2_990_000_000, 0),
    )
    told = fill_of(bought, NATIVE, USDC)
    assert (told.side, told.quantity, told.price) == (Side.SELL, Decimal(1), Decimal(2990))
    sold = receipt(
        transfer(USDC, OWNER, POOL.address, 3_010_000_000),
        transfer(WETH, POOL.address, ROUTER, ETHER),
        swap(3_010_000_000, 0, 0, ETHER),
    )
    told = fill_of(sold, USDC, NATIVE)
    assert (told.side, told.quantity, told.price) == (Side.BUY, Decimal(1), Decimal(3010))


def test_a_token_that_keeps_a_part_is_told_as_it_arrived() -> None:
    done = receipt(
        transfer(USDC, OWNER, POOL.address, 3_010_000_000),
        transfer(WETH, POOL.address, OWNER, ETHER * 99 // 100),
        transfer(WETH, POOL.address, address(66), ETHER // 100),
        swap(3_010_000_000, 0, 0, ETHER),
    )
    assert realised(done, POOL, OWNER, USDC, WETH).units_out == ETHER * 99 // 100


def test_what_a_token_took_from_the_owner_counts_whole() -> None:
    done = receipt(
        transfer(USDC, OWNER, POOL.address, 2_990_000_000),
        transfer(USDC, OWNER, address(66), 20_000_000),
        transfer(WETH, POOL.address, OWNER, ETHER),
        swap(2_990_000_000, 0, 0, ETHER),
    )
    assert realised(done, POOL, OWNER, USDC, WETH).units_in == 3_010_000_000


def test_a_token_cannot_invent_a_gain() -> None:
    lying = receipt(
        transfer(USDC, OWNER, POOL.address, 1),
        transfer(WETH, POOL.address, OWNER, 10**30),
        swap(3_010_000_000, 0, 0, ETHER),
    )
    real = realised(lying, POOL, OWNER, USDC, WETH)
    assert (real.units_in, real.units_out) == (3_010_000_000, ETHER)


def test_a_receipt_without_a_swap_of_the_pool_makes_no_fill() -> None:
    elsewhere = replace(BOUGHT.logs[2], address=address(77))
    with pytest.raises(ValueError, match="no swap"):
        fill_of(receipt(*BOUGHT.logs[:2], elsewhere), USDC, WETH)
