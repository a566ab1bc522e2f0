"""Builders: BuildKit and the classic builder of the engine, and Kaniko in containers, behind one port."""
