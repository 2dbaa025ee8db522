"""One file a service of the contract. A method has its RPC's name in snake case and plain
arguments; a stream drops the "stream_" from it.
"""
