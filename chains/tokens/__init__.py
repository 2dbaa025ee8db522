"""Bundled token lists, a file a network, and the registry that looks tokens up in them."""

from chains.tokens.registry import TokenRegistry, bundled

__all__ = ["TokenRegistry", "bundled"]
