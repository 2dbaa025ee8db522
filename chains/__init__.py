"""Blockchains: networks, RPC, fees, nonces, the transaction lifecycle, tokens, wallets."""
