"""What all exchanges share: requests, limits, streams, books, outcomes. See cex/README.md."""
