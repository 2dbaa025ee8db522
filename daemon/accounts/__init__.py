"""Accounts at exchanges that come and go while the daemon runs, and their keys."""
