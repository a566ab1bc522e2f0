"""The resource types of this engine."""
