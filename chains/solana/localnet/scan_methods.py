"""The RPC methods that look through all accounts. https://solana.com/docs/rpc/http"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

from solders.account import Account

from chains.solana import base58, programs
from chains.solana.localnet import encode_accounts
from chains.solana.localnet import parameters as p
from chains.solana.localnet.chain import Chain
from chains.solana.localnet.parameters import Parameters, RpcError
from chains.solana.localnet.read_methods import encoded, mint_at, valued

_MAX_FILTERS = 4
_MAX_COMPARED = 128  # bytes
_LARGEST = 20
Test = Callable[[Account], bool]


def filters(given: Any) -> Test:
    """What all of the filters of `getProgramAccounts` and `programSubscribe` demand."""
    if given is None:
        return lambda account: True
    if not isinstance(given, list) or len(given) > _MAX_FILTERS:
        raise p.invalid(f"Too many filters provided; max {_MAX_FILTERS}")
    tests = [_filter(one) for one in given]
    return lambda account: all(test(account) for test in tests)


def _filter(given: Any) -> Test:
    if given == "tokenAccountState":
        return lambda account: encode_accounts.token_account(account) is not None
    if isinstance(given, dict) and type(size := given.get("dataSize")) is int:
        return lambda account: len(account.data) == size
    compared = given.get("memcmp") if isinstance(given, dict) else None
    if not isinstance(compared, dict) or type(offset := compared.get("offset")) is not int:
        raise p.invalid("a filter is dataSize, memcmp or tokenAccountState")
    wanted = _compared(compared.get("bytes"), compared.get("encoding") or "base58")
    return lambda account: bytes(account.data)[offset : offset + len(wanted)] == wanted


def _compared(given: Any, encoding: Any) -> bytes:
    try:
        if isinstance(given, list):
            wanted = bytes(given)
        elif encoding == "base64":
            wanted = base64.b64decode(given, validate=True)
        else:
            wanted = base58.decode(given, 2 * _MAX_COMPARED)
    except (TypeError, ValueError, AttributeError, binascii.Error):
        raise p.invalid("memcmp bytes are not base58 or base64") from None
    if len(wanted) > _MAX_COMPARED:
        raise p.invalid(f"memcmp bytes are at most {_MAX_COMPARED}")
    return wanted


def get_program_accounts(chain: Chain, params: Parameters) -> Any:
    program, options = params.key(0), params.options(1)
    wanted = filters(options.get("filters"))
    found = [
        {"pubkey": str(address), "account": encoded(chain, account, options)}
        for address, account in chain.machine.owned_by(program)
        if account.lamports and wanted(account)
    ]
    found.sort(key=lambda one: str(one["pubkey"]))
    return valued(chain, options, found) if options.get("withContext") is True else found


def get_token_accounts_by_owner(chain: Chain, params: Parameters) -> Any:
    owner = params.key(0)
    return _token_accounts(chain, params, lambda held: held.owner == owner)


def get_token_accounts_by_delegate(chain: Chain, params: Parameters) -> Any:
    delegate = params.key(0)
    return _token_accounts(chain, params, lambda held: held.delegate == delegate)


def _token_accounts(chain: Chain, params: Parameters, wanted: Callable[[Any], bool]) -> Any:
    chosen, options = params.at(1), params.options(2)
    if not isinstance(chosen, dict) or not {"mint", "programId"} & set(chosen):
        raise p.invalid("expected `mint` or `programId`")
    mint = p.key(chosen["mint"]) if "mint" in chosen else None
    program = mint_at(chain, mint)[1].owner if mint else p.key(chosen["programId"])
    if str(program) not in encode_accounts.TOKEN_PROGRAMS:
        raise RpcError(p.INVALID_PARAMS, "Invalid param: unrecognized Token program id")
    found = []
    for address, account in chain.machine.owned_by(program):
        held = encode_accounts.token_account(account)
        if held is not None and wanted(held) and mint in (None, held.mint):
            found.append({"pubkey": str(address), "account": encoded(chain, account, options)})
    return valued(chain, options, found)


def get_token_largest_accounts(chain: Chain, params: Parameters) -> Any:
    key = params.key(0)
    mint, account = mint_at(chain, key)
    found = []
    for address, one in chain.machine.owned_by(account.owner):
        held = encode_accounts.token_account(one)
        if held is not None and held.mint == key:
            found.append((held.amount, str(address)))
    largest = [
        {"address": address, **encode_accounts.amount(units, mint.decimals)}
        for units, address in sorted(found, reverse=True)[:_LARGEST]
    ]
    return valued(chain, params.options(1), largest)


def get_supply(chain: Chain, params: Parameters) -> Any:
    options = params.options(0)
    total = sum(account.lamports for _, account in _wallets(chain))
    supply = {
        "total": total,
        "circulating": total,
        "nonCirculating": 0,
        "nonCirculatingAccounts": [],
    }
    return valued(chain, options, supply)


def get_largest_accounts(chain: Chain, params: Parameters) -> Any:
    found = sorted(_wallets(chain), key=lambda one: one[1].lamports, reverse=True)[:_LARGEST]
    largest = [{"address": str(key), "lamports": account.lamports} for key, account in found]
    return valued(chain, params.options(0), largest)


def _wallets(chain: Chain) -> Sequence[tuple[Any, Account]]:
    return chain.machine.owned_by(p.key(programs.SYSTEM))


METHODS = {
    "getLargestAccounts": get_largest_accounts,
    "getProgramAccounts": get_program_accounts,
    "getSupply": get_supply,
    "getTokenAccountsByDelegate": get_token_accounts_by_delegate,
    "getTokenAccountsByOwner": get_token_accounts_by_owner,
    "getTokenLargestAccounts": get_token_largest_accounts,
}
