"""Values in plain text that look like secrets: worth a warning, and never shown."""

from __future__ import annotations

from defang_nb.compose.finish import section, services_of
from defang_nb.compose.nodes import Map, Path, Seq, Symbolic
from defang_nb.compose.problems import Problems
from defang_nb.model.masking import is_plain_secret, is_secret_text


def warn_of_secrets(model: Map, problems: Problems) -> None:
    """Warn of environment values, build arguments and words of commands whose key or form says that they are secret."""
    for name, service in services_of(model).items():
        _warn(section(service, "environment"), ("services", name, "environment"), problems)
        _warn(section(section(service, "build"), "args"), ("services", name, "build", "args"), problems)
        for key in ("command", "entrypoint"):
            words = service.get(key)
            for index, (word, at) in enumerate(words.pairs() if isinstance(words, Seq) else ()):
                if isinstance(word, str) and not isinstance(word, Symbolic) and is_secret_text(word):
                    message = f'service "{name}": a word of its {key} looks like it has a secret in plain text'
                    hint = "take it from an environment variable without a value (`KEY:`), and set that with `config set KEY`"
                    problems.warn("likely-secret", message, at, ("services", name, key, index), hint)


def _warn(values: Map, path: Path, problems: Problems) -> None:
    for key, value in values.items():
        if not isinstance(value, str):
            continue
        literal = (
            "".join(part if isinstance(part, str) else "${x}" for part in value.parts) if isinstance(value, Symbolic) else value
        )
        if not isinstance(value, Symbolic) and is_plain_secret(key, value):
            hint = f"leave the value away (`{key}:`), and set it with `config set {key}`"
        elif not is_secret_text(literal):
            continue
        elif "://" in literal:
            hint = f"write ${{{key}_PASSWORD}} in place of the password, and set it with `config set {key}_PASSWORD`"
        else:
            hint = f"leave the value away (`{key}:`), and set it with `config set {key}`"
        message = f'service "{path[1]}": the value of {key} looks like a secret in plain text'
        problems.warn("likely-secret", message, values.key_at(key), (*path, key), hint)
