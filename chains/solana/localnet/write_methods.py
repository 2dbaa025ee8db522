"""The RPC methods that send and simulate; and the one that is ours, `cambist_fund`.

https://solana.com/docs/rpc/http/sendtransaction and simulatetransaction
"""

from collections.abc import Mapping
from typing import Any

from solders.transaction import VersionedTransaction

from chains.solana import reasons
from chains.solana.localnet import encode_accounts, genesis
from chains.solana.localnet import parameters as p
from chains.solana.localnet.chain import Chain, Simulated
from chains.solana.localnet.parameters import Parameters, RpcError
from chains.solana.localnet.read_methods import context

_MAX_AIRDROP = 1_000_000 * 10**9
_MAX_FUNDED = 100


def send_transaction(chain: Chain, params: Parameters) -> Any:
    """Answers the signature. With `skipPreflight` that is no promise, as on any node: what is
    unsigned, expired or unable to pay is dropped without a word."""
    options = params.options(1)
    transaction = p.transaction(params.text(0), options.get("encoding") or "base58")
    signature = str(transaction.signatures[0])
    signed = all(transaction.verify_with_results())
    if options.get("skipPreflight") is True:
        if signed:
            chain.submit(transaction)
        return signature
    if not signed:
        raise RpcError(p.SIGNATURE_FAILURE, "Transaction signature verification failure")
    refused = chain.refusal(transaction)
    simulated = _refused(refused) if refused is not None else chain.simulate(transaction)
    if simulated.error is not None:
        raise RpcError(
            p.PREFLIGHT_FAILURE,
            f"Transaction simulation failed: {reasons.words(simulated.error)}",
            _result(chain, simulated, {}),
        )
    chain.submit(transaction)
    return signature


def simulate_transaction(chain: Chain, params: Parameters) -> Any:
    options = params.options(1)
    transaction = p.transaction(params.text(0), options.get("encoding") or "base58")
    replace, verify = options.get("replaceRecentBlockhash"), options.get("sigVerify")
    if replace and verify:
        raise p.invalid("sigVerify may not be used with replaceRecentBlockhash")
    if verify and not all(transaction.verify_with_results()):
        raise RpcError(p.SIGNATURE_FAILURE, "Transaction signature verification failure")
    refused = None if replace else chain.refusal(transaction)
    simulated = _refused(refused) if refused is not None else chain.simulate(transaction)
    value = _result(chain, simulated, options.get("accounts") or {})
    if replace:
        block = chain.slots.block(p.commitment(options))
        value["replacementBlockhash"] = {
            "blockhash": str(block.blockhash),
            "lastValidBlockHeight": block.last_valid_height,
        }
    return {"context": context(chain, options), "value": value}


def _refused(error: Any) -> Simulated:
    return Simulated(error, [], 0, None, None, {})


def _result(chain: Chain, simulated: Simulated, wanted: Mapping[str, Any]) -> dict[str, Any]:
    accounts: list[Any] | None = None
    if wanted.get("addresses"):
        encoding = wanted.get("encoding") or "base64"
        accounts = []
        for text in wanted["addresses"]:
            key = p.key(text)
            account = simulated.accounts.get(key) or chain.machine.account(key)
            accounts.append(
                account and encode_accounts.account(account, encoding, chain.decimals(account))
            )
    return {
        "err": simulated.error,
        "logs": simulated.logs,
        "accounts": accounts,
        "unitsConsumed": simulated.units,
        "returnData": simulated.return_data,
        "innerInstructions": None,
        "fee": simulated.fee,
    }


def request_airdrop(chain: Chain, params: Parameters) -> Any:
    address, lamports = params.key(0), params.integer(1)
    if lamports > _MAX_AIRDROP:
        raise p.invalid(f"an airdrop is at most {_MAX_AIRDROP} lamports here")
    blockhash = chain.slots.block().blockhash
    transaction = genesis.airdrop(chain, address, lamports, blockhash)
    return _send_own(chain, transaction)


def _send_own(chain: Chain, transaction: VersionedTransaction) -> str:
    refused = chain.submit(transaction)
    if refused is not None:
        raise RpcError(p.INTERNAL_ERROR, f"the faucet failed: {reasons.words(refused)}")
    return str(transaction.signatures[0])


def fund(chain: Chain, params: Parameters) -> Any:
    """Ours: 100 SOL and 10,000 of each test token to each address, once in the chain's life.
    Answers which were funded now, and the tokens."""
    addresses = [p.key(text) for text in params.listed(0, _MAX_FUNDED)]
    return {
        "funded": [str(address) for address in addresses if genesis.fund(chain, address)],
        "tokens": [
            {
                "symbol": token.symbol,
                "mint": str(token.address),
                "programId": str(token.program),
                "decimals": token.decimals,
            }
            for token in genesis.TOKENS
        ],
    }


METHODS = {
    "cambist_fund": fund,
    "requestAirdrop": request_airdrop,
    "sendTransaction": send_transaction,
    "simulateTransaction": simulate_transaction,
}
