"""Signatures and encodings, for any key and any payload, against other libraries."""

import json

from eth_account import Account
from eth_keys.datatypes import Signature
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from chains.solana import base58
from chains.wallets import evm_keys, keystore_v3, sealed, solana_keys
from chains.wallets.kdf import LIGHT
from chains.wallets.secret import Secret

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
scalars = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
seeds = st.binary(min_size=32, max_size=32)


@given(scalars, seeds)
def test_evm_signatures_recover_to_the_address(key: bytes, digest: bytes) -> None:
    signature = evm_keys.signer(Secret(key))(digest)
    r, s, v = signature[:32], signature[32:64], signature[64]
    assert len(signature) == 65
    assert v in (0, 1)
    assert int.from_bytes(s, "big") <= ORDER // 2
    assert 0 < int.from_bytes(r, "big") < ORDER
    recovered = Signature(signature).recover_public_key_from_msg_hash(digest)
    assert recovered.to_checksum_address() == evm_keys.address(Secret(key))


@settings(max_examples=30)
@given(scalars)
def test_evm_addresses_are_eth_accounts(key: bytes) -> None:
    address = Account.from_key(key).address
    assert evm_keys.address(Secret(key)) == address
    assert evm_keys.parse_address(address.lower()) == address
    assert evm_keys.parse_address(address) == address
    text = keystore_v3.encrypt(Secret(key), address, Secret(b"p"), LIGHT)
    assert keystore_v3.decrypt(json.loads(text), Secret(b"p")).reveal() == key


@given(seeds, st.binary(max_size=1232))
def test_solana_signatures_are_solders(seed: bytes, message: bytes) -> None:
    pair = Keypair.from_seed(seed)
    assert solana_keys.address(Secret(seed)) == str(pair.pubkey())
    assert solana_keys.signer(Secret(seed))(message) == bytes(pair.sign_message(message))
    for spelling in (str(pair).encode(), pair.to_json().encode()):
        assert solana_keys.parse_key(Secret(spelling)).reveal() == seed


@given(st.binary(max_size=64))
def test_base58_is_its_own_inverse(data: bytes) -> None:
    assert base58.decode(base58.encode(data)) == data
    if len(data) == 32:
        assert base58.encode(data) == str(Pubkey.from_bytes(data))


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=100), st.binary(min_size=1, max_size=40))
def test_sealing_is_its_own_inverse(plain: bytes, passphrase: bytes) -> None:
    text = sealed.seal(Secret(plain), "kind", "address", Secret(passphrase), LIGHT)
    assert sealed.open_sealed(json.loads(text), "kind", Secret(passphrase)).reveal() == plain
