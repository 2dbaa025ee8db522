"""The crash proof: a real daemon, killed at every step of every kind of intent. See README.md."""
