"""The labels that everything of ours on an engine carries: so `docker ps` is readable, and orphans are found with no state."""

from __future__ import annotations

from typing import Final

PROJECT: Final = "io.defang.nb.project"
STACK: Final = "io.defang.nb.stack"
URN: Final = "io.defang.nb.urn"
SERVICE: Final = "io.defang.nb.service"
INPUTS: Final = "io.defang.nb.inputs"
"""The hash of the inputs that it was made from."""
MADE_FROM: Final = "io.defang.nb.made-from"
"""The inputs of a network or volume, as JSON: with them it is known again when the record of it is lost."""
HOOKS: Final = "io.defang.nb.hooks"
"""The commands that a container is to run after its start and before its stop, as JSON."""
ROLE: Final = "io.defang.nb.role"
"""What a container is for that is no service: `kaniko`."""
HOME: Final = "io.defang.nb.home"
"""Tells the stacks of one user from those of another on the same engine."""
REPLICA: Final = "io.defang.nb.replica"
