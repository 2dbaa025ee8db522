"""Streams: one source, many readers, encoded once."""
