"""Pure values and pure functions: what the rest of the house speaks about. No I/O, nothing but msgspec below it."""
