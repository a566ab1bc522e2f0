"""Desired resources and recorded state → plan → applied; with the journal, the lease and the state store below it."""
