"""Values in plain text that look like secrets: worth a warning, and never shown."""

from __future__ import annotations

import re

from defang_nb.compose.finish import section, services_of
from defang_nb.compose.nodes import Map, Symbolic
from defang_nb.compose.problems import Problems

_SECRET_NAME = re.compile(
    r"(?i)(?:^|_)(?:password|passwd|secret|token|api_?key|private_?key)$|(?:secret|api)_?key$|PGPASSWORD$"
)
_SHORTEST = 4
_NO_SECRETS = frozenset({"true", "false", "none", "null"})


def warn_of_secrets(model: Map, problems: Problems) -> None:
    """Warn of environment values whose key says that they are secret."""
    for name, service in services_of(model).items():
        environment = section(service, "environment")
        for key, value in environment.items():
            if not isinstance(value, str) or isinstance(value, Symbolic) or not _SECRET_NAME.search(key):
                continue
            if (
                len(value) < _SHORTEST
                or value.lower() in _NO_SECRETS
                or (value.isdigit() and len(value) < 8)
                or "/run/secrets" in value
            ):
                continue
            problems.warn(
                "likely-secret",
                f'service "{name}": the value of {key} looks like a secret in plain text',
                environment.key_at(key),
                ("services", name, "environment", key),
                hint=f"leave the value away (`{key}:`), and set it with `config set {key}`",
                secret=value,
            )
