"""The desk: orders of all accounts, from the intent to the last fill."""
