"""Benchmarks, each beside the peer that it is compared with. `python -m bench`; see README.md."""
