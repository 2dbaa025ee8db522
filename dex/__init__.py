"""Decentralized exchanges: pools behind the same protocols as order books. See README.md."""
