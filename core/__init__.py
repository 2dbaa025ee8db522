"""The vocabulary of Cambist: money, instruments, orders, fills, books, tokens, errors. No I/O."""
