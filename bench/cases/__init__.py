"""One file a benchmark; see bench.case for what it holds."""
