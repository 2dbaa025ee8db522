"""The daemon: configuration, services, journal, streams, permissions, command line."""
