"""The sandbox's own EVM chain: anvil with the real Uniswap, PancakeSwap and Pangolin contracts."""
