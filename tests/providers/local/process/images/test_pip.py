"""pip's inputs in uv's words."""

import pytest

from defang_nb.providers.local.process.images.pip import locked

LOCK = """
[[package]]
name = "flask"
version = "3.0.1"
groups = ["main"]

[[package]]
name = "numpy"
version = "1.26.4"
markers = "python_version < '3.12'"

[[package]]
name = "numpy"
version = "2.0.0"
markers = "python_version >= '3.12'"

[[package]]
name = "ours"
version = "1.0"
[package.source]
type = "git"
url = "https://example.com/ours.git"

[metadata]
lock-version = "2.1"
"""


def test_a_poetry_lock_as_constraints(tmp_path):
    file = tmp_path / "poetry.lock"
    file.write_text(LOCK)
    assert locked(file) == ["flask==3.0.1"]


def test_a_broken_lock_is_a_value_error(tmp_path):
    file = tmp_path / "poetry.lock"
    file.write_text("[[package")
    with pytest.raises(ValueError, match="array declaration"):
        locked(file)
