"""The commands of `cambist`, one file an area of the contract."""
