"""Programs that run outside of this package, with the standard library only: the launcher, the site server, the port shim."""
