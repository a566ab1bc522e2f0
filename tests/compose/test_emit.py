"""The YAML writer: any reader gets the same values back, and people get the plainest text that is safe."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from defang_nb.compose.decode import decode
from defang_nb.compose.emit import yaml_text
from defang_nb.compose.problems import Problems

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text(
    "ab:#-?,[]{}&*!|>'\"%@`$ \n\t\\=~.01eE+_xyno\u0085\u00a0\u2028\ufeff", max_size=8
)
VALUES = st.recursive(
    TEXT | st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_another_reader_reads_the_same(value: Any) -> None:
    assert yaml.safe_load(yaml_text(value)) == value


@given(st.dictionaries(TEXT.filter(lambda key: key != "<<"), TEXT, max_size=4))
def test_our_own_reader_reads_the_same(value: dict[str, str]) -> None:
    problems = Problems()
    assert decode(yaml_text(value), "made.yaml", problems) == [value]
    problems.raise_errors()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"image": "redis:7", "tty": True, "x": None}, "image: redis:7\ntty: true\nx: null\n"),
        ({"ports": [{"target": 80, "mode": "host"}]}, "ports:\n  - target: 80\n    mode: host\n"),
        ({"a": [], "b": {}, "c": [[1]]}, "a: []\nb: {}\nc:\n  - - 1\n"),
        (
            {"url": "http://db:5432/x", "time": "10s", "word": "No", "num": "017"},
            'url: http://db:5432/x\ntime: "10s"\nword: "No"\nnum: "017"\n',
        ),
        ({"text": "one\n\n two\n"}, "text: |\n  one\n\n   two\n"),
        ({"text": "one\ntwo"}, "text: |-\n  one\n  two\n"),
        ({"price": "5$$", "var": "${A:-b c}"}, 'price: "5$$"\nvar: "${A:-b c}"\n'),
        ({"size": 1e16, "big": float("inf")}, "size: 1.0e+16\nbig: .inf\n"),
    ],
)
def test_what_people_see(value: Any, text: str) -> None:
    assert yaml_text(value) == text
