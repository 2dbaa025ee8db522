"""Calldata, events and addresses of Uniswap V2 and its forks, beside eth-abi's encoding."""

import itertools

import pytest
from eth_abi.codec import ABICodec
from eth_abi.registry import registry

from chains.evm.codec import keccak, unhex
from dex.families import constant_product_abi as abi
from dex.families.constant_product_abi import SwapCall
from dex.families.curve import SwapLog
from dex.venues import PROTOCOLS, SPECS

encode = ABICodec(registry).encode

A = "0x" + "11" * 20
B = "0x" + "22" * 20
TO = "0x" + "Ab" * 20

SIGNATURES = {
    # exact in, native in, native out
    (True, False, False): "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)",
    (False, False, False): "swapTokensForExactTokens(uint256,uint256,address[],address,uint256)",
    (True, True, False): "swapExact{}ForTokens(uint256,address[],address,uint256)",
    (False, True, False): "swap{}ForExactTokens(uint256,address[],address,uint256)",
    (True, False, True): "swapExactTokensFor{}(uint256,uint256,address[],address,uint256)",
    (False, False, True): "swapTokensForExact{}(uint256,uint256,address[],address,uint256)",
}


@pytest.mark.parametrize(("kind", "word"), list(itertools.product(SIGNATURES, ["ETH", "AVAX"])))
def test_calldata_is_what_eth_abi_makes(kind: tuple[bool, bool, bool], word: str) -> None:
    exact_in, native_in, native_out = kind
    call = SwapCall(exact_in, native_in, native_out, 10**30, 7, (A, B), TO, 1_700_000_000)
    signature = SIGNATURES[kind].format(word)
    amounts = [7 if exact_in else 10**30] if native_in else [10**30, 7]
    types = ["uint256"] * len(amounts) + ["address[]", "address", "uint256"]
    expected = keccak(signature.encode())[:4] + encode(
        types, [*amounts, [A, B], TO.lower(), 1_700_000_000]
    )
    assert call.calldata(word) == expected
    assert call.value == (0 if not native_in else 10**30 if exact_in else 7)


def test_topics_are_the_hashes_of_their_signatures() -> None:
    swap = b"Swap(address,uint256,uint256,uint256,uint256,address)"
    assert keccak(swap) == abi.SWAP_TOPIC
    assert keccak(b"Sync(uint112,uint112)") == abi.SYNC_TOPIC


@pytest.mark.parametrize(
    ("venue", "index", "pair"),
    [
        ("uniswap_v2@ethereum", 0, "0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc"),
        ("uniswap_v2@ethereum", 1, "0x0d4a11d5EEaaC28EC3F61d100daF4d40471f1852"),
        ("uniswap_v2@ethereum", 2, "0xA478c2975Ab1Ea89e8196811F51A7B7Ade33eB11"),
        ("uniswap_v2@ethereum", 3, "0xBb2b8038a1640196FbE3e38816F3e67Cba72D940"),
        ("uniswap_v2@ethereum", 4, "0x3041CbD36888bECc7bbCBc0045E3B1f144466f5f"),
        ("pangolin@avalanche", 0, "0xd7538cABBf8605BdE1f4901B47B8D42c61DE0367"),
        ("pangolin@avalanche", 1, "0xbd918Ed441767fe7924e99F6a0E0B568ac1970D9"),
        ("pangolin@avalanche", 2, "0x0e0100Ab771E9288e0Aa97e11557E6654C3a9665"),
        ("pangolin@avalanche", 3, "0x7c05d54fc5CB6e4Ad87c6f5db3b807C94bB89c52"),
    ],
)
def test_well_known_pools_are_where_they_are(venue: str, index: int, pair: str) -> None:
    spec = SPECS[venue]
    first, second = spec.deployment.pools[index][:2]
    code = PROTOCOLS[spec.protocol.id].init_code_hash
    assert abi.pair_address(spec.deployment.factory, code, first, second) == pair
    assert abi.pair_address(spec.deployment.factory, code, second, first) == pair


def test_events_are_read_and_malformed_ones_refused() -> None:
    topics = [abi.SWAP_TOPIC, bytes(12) + unhex(A), bytes(12) + unhex(B)]
    data = encode(["uint256"] * 4, [1, 2, 3, 2**255])
    assert abi.decode_swap(topics, data) == SwapLog(1, 2, 3, 2**255, B)
    for wrong in ((topics[:2], data), (topics, data[:-1]), (topics, data + b"\0"), ([], b"")):
        with pytest.raises(ValueError):
            abi.decode_swap(*wrong)


def test_only_erc20_transfers_are_transfers() -> None:
    topics = [keccak(b"Transfer(address,address,uint256)"), bytes(12) + unhex(A)]
    topics.append(bytes(12) + unhex(B))
    assert abi.decode_transfer(topics, (5).to_bytes(32, "big")) == (A, B, 5)
    assert abi.decode_transfer([*topics, bytes(32)], b"") is None


@pytest.mark.parametrize("answer", [b"", bytes(64), bytes(128)])
def test_reserves_come_from_a_pair_only(answer: bytes) -> None:
    with pytest.raises(ValueError):
        abi.decode_reserves(answer)
