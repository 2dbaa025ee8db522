"""A Solana of one's own: the real virtual machine behind Solana's real JSON-RPC."""
