"""Compose text → `model.Project`, every error with file, line and column."""
