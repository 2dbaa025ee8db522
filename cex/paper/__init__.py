"""The paper exchange, and paper accounts on the live books of real venues."""
