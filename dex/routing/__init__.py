"""The best way of a swap through many pools: pure, from pools in memory."""
