"""What the daemon runs with: a sandbox that needs nothing, or the live configuration."""
