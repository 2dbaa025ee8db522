"""Exchanges with a central limit order book: an engine, and one file a venue.

`catalogue()` finds every venue; a venue plus a clock is a `Market`, a market plus credentials an
`Account`. See README.md.
"""
