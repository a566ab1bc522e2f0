"""TAB inside a `%%compose` cell: what Compose allows at the cursor, by the table that files are checked by."""

from __future__ import annotations

import pytest

from tests.notebook.conftest import Notebook

TOP = "%%compose shop\nservices:\n  web:\n    image: x\n    build:\n      context: .\n  db:\n    image: y\nnetworks:\n  back:\n"


@pytest.mark.parametrize(
    ("cell", "offered", "not_offered"),
    [
        ("%%compose\nser", ["services:"], ["version"]),
        ("%%compose\nservices:\n  web:\n    depe", ["depends_on:"], []),
        ("%%compose\nservices:\n  web:\n    image: x\n    im", [], ["image:"]),
        ("%%compose\nservices:\n  web:\n    x-defang-p", ["x-defang-postgres:", "x-defang-policies:"], []),
        ("%%compose\nservices:\n  web:\n    build:\n      co", ["context:"], ["command:", "configs:"]),
        ("%%compose\nservices:\n  web:\n    ports:\n      - tar", ["target:"], []),
        ("%%compose\nservices:\n  web:\n    ports:\n    - target: 80\n      mo", ["mode:"], ["models:"]),
        ("%%compose\nservices:\n  web:\n    ports:\n    - target: 80\n      mode: in", ["ingress"], []),
        ("%%compose\nservices:\n  web:\n    ports:\n      - 80\n    he", ["healthcheck:"], []),
        ("%%compose\nservices:\n  web:\n    restart: un", ["unless-stopped"], []),
        ("%%compose\nservices:\n  web:\n    tty: t", ["true"], ["tty"]),
        ("%%compose\nservices:\n  web:\n    command: |\n      net", [], ["networks:", "network_mode:"]),
        (TOP + "services:\n  api:\n    depends_on:\n      - d", ["db"], []),
        ("%%compose\nservices:\n  web:\n    image: x\n  api:\n    depends_on: [w", ["web"], []),
        ("%%compose\nservices:\n  db:\n    image: x\n  api:\n    depends_on:\n      db:\n        co", ["condition:"], []),
        (
            "%%compose\nservices:\n  db:\n    image: x\n  api:\n    depends_on:\n      db:\n        condition: service_h",
            ["service_healthy"],
            [],
        ),
        ("%%compose\nnetworks:\n  back: {}\nservices:\n  api:\n    networks:\n      - b", ["back"], []),
        ("%%compose\nvolumes:\n  data:\n    dri", ["driver:", "driver_opts:"], []),
    ],
)
def test_offers(cell: str, offered: list[str], not_offered: list[str], notebook: Notebook) -> None:
    found = notebook.complete(cell)
    assert [each for each in offered if each not in found] == []
    assert [each for each in not_offered if each in found] == []


def test_a_service_is_not_offered_to_depend_on_itself(notebook: Notebook) -> None:
    assert notebook.complete("%%compose\nservices:\n  wa:\n    image: x\n  wb:\n    depends_on:\n      - w") == ["wa"]


@pytest.mark.parametrize("line", ["- - -", "? x", "'", "{a: [", "\t", "key: 'x", "- a: b: c", "::", "é: ü"])
def test_text_that_is_no_yaml_yet_offers_nothing_wrong(line: str, notebook: Notebook) -> None:
    assert notebook.complete(f"%%compose\nservices:\n  {line}") is not None
