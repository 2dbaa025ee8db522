"""The sandbox's own EVM chain: anvil with the real Uniswap V2 and Pangolin contracts on it."""
