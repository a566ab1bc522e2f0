"""The embedded provider: this machine."""
