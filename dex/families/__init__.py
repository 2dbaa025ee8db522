"""Pool mathematics and calldata, pure: no I/O, integers only. One module a kind of pool."""
