"""EVM chains: a network is an entry in `chains.networks`, and everything else is here once."""
