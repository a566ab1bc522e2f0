"""The places to deploy to. `base` holds the port that each of them implements; `registry` finds the one of a stack."""
