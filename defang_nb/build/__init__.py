"""Build context → manifest digest, archive, image reference; Dockerfile reading."""
