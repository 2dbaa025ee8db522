"""Programs that run in processes of their own: what is measured, and what it is compared with.

Each speaks bench.child's lines: JSON on standard output, a word a line on standard input.
"""
