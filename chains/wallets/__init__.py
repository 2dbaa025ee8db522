"""Keys: encrypted keystores in a directory, unlocked once, and the one place that signs."""
