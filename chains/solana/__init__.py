"""Solana: balances, SPL tokens, transfers, and the life of a transaction."""
