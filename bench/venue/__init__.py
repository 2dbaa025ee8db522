"""A local server that speaks as much of Binance as the benchmarks need, as fast as it can.

It is no test double: it checks nothing, and its only merit is that it costs little.
"""
