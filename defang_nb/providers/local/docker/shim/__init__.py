"""Programs that run outside of the package, with the standard library only."""
