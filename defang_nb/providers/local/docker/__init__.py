"""The engine of the local provider that runs containers: any Docker-compatible API."""
