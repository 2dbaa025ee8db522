"""Between the core and the contract: one file an area, pure functions."""
