"""Command lines read without a shell."""

import pytest

from defang_nb.providers.local.process.images.shell import UnreadableError, exec_last, split


def words(line, **variables):
    return [each.words for each in split(line, variables)]


def test_lists_quotes_and_variables():
    assert words("pip install 'a>=1' \"$B c\" && x=1 y $x; z '$B'", B="b") == [
        ("pip", "install", "a>=1", "b c"),
        ("y", ""),
        ("z", "$B"),
    ]
    assert split("A=1 B='2 3' run it")[0].assignments == (("A", "1"), ("B", "2 3"))


def test_silencing_is_dropped_and_alternatives_of_true_are_known():
    assert words("a > /dev/null 2>&1 && b >/dev/null") == [("a",), ("b",)]
    assert [each.operator for each in split("a || true; b")] == ["", "||", ";"]


def test_comments_and_lines():
    assert words("set -e\napt-get update # first\n\npip install x#y\n") == [
        ("set", "-e"),
        ("apt-get", "update"),
        ("pip", "install", "x#y"),
    ]


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ('if [ "$X" = "y" ]; then a b; c; fi', [("a", "b"), ("c",)]),
        ('if [ "$X" != y ]; then a; else b; fi', [("b",)]),
        ('p && if [ "$UNSET" = "y" ]; then \\\n a; fi; q', [("p",), ("q",)]),
        ("if test -n $X\nthen\na\nfi\nif [ -z $X ]; then b; else c; fi", [("a",), ("c",)]),
    ],
)
def test_the_branch_of_a_known_if(line, result):
    assert words(line.replace("\\\n", ""), X="y") == result


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("curl x | sh", "a pipe"),
        ("a $(b)", "substitution"),
        ('a "`b`"', "substitution"),
        ("echo x > /etc/y", "redirection"),
        ("if [ -f x ]; then y; fi", "'if'"),
        ("if [ $TARGETARCH = arm64 ]; then y; fi", "'if'"),
        ("if [ a = a ]; then if [ b = b ]; then y; fi; fi", "'if'"),
        ("if [ a = b ]; then x; elif c; then y; fi", "'if'"),
        ("if [ a = b ] && c; then x; fi", "'if'"),
        ("if [ a = a ]; then x", "'if'"),
        ("if [ $(a) = b ]; then x; fi", "substitution"),
        ("a || b", "alternative"),
        ("a &", "background"),
        ("(a; b)", "'(a'"),
        ("a 'b", "never closed"),
    ],
)
def test_what_only_a_shell_can_do_is_told(line, what):
    with pytest.raises(UnreadableError, match=what.replace("(", r"\(")):
        split(line)


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ("python app.py", "exec python app.py"),
        (
            "python manage.py migrate && gunicorn a --bind 0.0.0.0:$PORT",
            "python manage.py migrate && exec gunicorn a --bind 0.0.0.0:$PORT",
        ),
        ("cd src; node x", "cd src; exec node x"),
        ("a | b", "a | b"),
        ("a & b", "a & b"),
        ("exec a", "exec a"),
        ("if a; then b; fi", "if a; then b; fi"),
        ("A=1 b", "A=1 b"),
        ("a && cd b", "a && cd b"),
        ("a 'b", "a 'b"),
    ],
)
def test_exec_goes_before_a_last_plain_command_only(script, result):
    assert exec_last(script) == result
