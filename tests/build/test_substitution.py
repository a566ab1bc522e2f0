"""Variables in Dockerfile words."""

import pytest

from defang_nb.build.substitution import substitute, unquote

KNOWN = {"A": "1", "EMPTY": "", "FILE": "dir/app.tar.gz"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$A-${A}", "1-1"),
        ("${B:-two}", "two"),
        ("${B:-${A}0}", "10"),
        ("${EMPTY:-x}${EMPTY-x}", "x"),
        ("${A:+yes}${B:+no}${EMPTY+set}", "yesset"),
        ("\\$A \\\\", "$A \\\\"),
        ("$B", ""),
        ("$ A $1 100%", "$ A $1 100%"),
        ("${FILE%.gz}", "dir/app.tar"),
        ("${FILE%%.*}", "dir/app"),
        ("${FILE##*/}", "app.tar.gz"),
        ("${FILE/app/x}", "dir/x.tar.gz"),
    ],
)
def test_substitute(text, result):
    assert substitute(text, KNOWN) == result


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ('"$A b"', "1 b"),
        ("'$A'", "$A"),
        ("a\\ b", "a b"),
        ('"a\\"b"', 'a"b'),
        ("x\"$A\"'$A'", "x1$A"),
        ("it's", "it's"),
    ],
)
def test_unquote(word, result):
    assert unquote(word, KNOWN) == result
