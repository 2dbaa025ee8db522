"""One file a service of the contract: decode, call, encode; what there is to know lives below."""
