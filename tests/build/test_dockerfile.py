"""Reading Dockerfiles: what real files hold, and errors with their lines."""

import pytest

from defang_nb.build.dockerfile import parse
from defang_nb.errors import BuildError


def one(text):
    return parse(f"FROM x\n{text}").stages[0].instructions[0]


def test_continuations_comments_and_empty_lines_are_one_instruction_at_its_first_line():
    found = parse("# a comment\nFROM python:3.11\nRUN a \\\n  # inside\n\n  && b\nCMD c\n").stages[0].instructions
    assert [(each.keyword, each.line) for each in found] == [("RUN", 3), ("CMD", 7)]
    assert found[0].text.split() == ["a", "&&", "b"]


def test_the_escape_directive_changes_the_continuation():
    found = parse("# escape=`\nFROM x\nRUN a `\n b c:\\\nCMD d\n")
    assert [each.keyword for each in found.stages[0].instructions] == ["RUN", "CMD"]
    assert found.stages[0].instructions[0].text.endswith("c:\\")


def test_a_directive_after_a_comment_is_a_comment():
    assert parse("# hello\n# escape=`\nFROM x\nRUN a \\\n b\n").stages[0].instructions[0].text == "a  b"


def test_syntax_is_kept():
    assert parse("# syntax=docker/dockerfile:1\nFROM x").syntax == "docker/dockerfile:1"


def test_exec_form_shell_form_and_a_broken_list():
    assert one('CMD ["a", "b c"]').words == ("a", "b c")
    assert one('CMD ["a", "b c"]').exec_form
    assert not one("CMD a 'b c'").exec_form
    assert not one("CMD ['a']").exec_form


def test_flags_are_apart_from_the_words():
    found = one("COPY --from=build --chown=a:b --link x y/")
    assert (found.flag("from"), found.flag("chown"), found.flags[-1]) == ("build", "a:b", ("link", ""))
    assert found.words == ("x", "y/")


def test_a_run_keeps_flags_that_are_the_commands_own():
    assert one("RUN --mount=type=cache,target=/c pip --version").text == "pip --version"


def test_heredocs_with_and_without_expansion():
    run = one("RUN <<EOF\nfirst\n  second # not a comment\nEOF\nCMD x")
    assert run.heredocs[0].content == "first\n  second # not a comment\n"
    copy = one("COPY <<'A' <<-B /etc/\n$x\nA\n\tindented\n\tB\n")
    assert [(each.name, each.content, each.expand) for each in copy.heredocs] == [
        ("A", "$x\n", False),
        ("B", "indented\n", True),
    ]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("ENV A b c", [("A", "b c")]),
        ("ENV A=1 B='x y' C=\"p q\" D=e\\ f", [("A", "1"), ("B", "'x y'"), ("C", '"p q"'), ("D", "e\\ f")]),
        ("ARG A", [("A", None)]),
        ("ARG A=1 B", [("A", "1"), ("B", None)]),
    ],
)
def test_pairs(text, pairs):
    assert one(text).pairs() == pairs


def test_stages_have_names_numbers_and_bases_with_variables():
    found = parse("ARG V=3.11\nARG W=${V}-slim\nFROM python:$W AS Build\nFROM build\nFROM node:${N:-20}\n")
    assert [found.base(each, {}) for each in found.stages] == ["python:3.11-slim", "build", "node:20"]
    assert found.base(found.stages[0], {"V": "3.12"}) == "python:3.12-slim"
    assert found.stage("BUILD") is found.stages[0]
    assert found.stage("2") is found.stages[2]
    assert found.stage("nothing") is None


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("FROM x\nRUN a\nFOO b\n", 3, "unknown instruction FOO"),
        ("RUN a\nFROM x\n", 1, "before the first FROM"),
        ("\n# nothing\n", 1, "no FROM"),
        ("FROM x\nCOPY a\n", 2, "a source and a destination"),
        ("FROM x\nRUN\n", 2, "needs an argument"),
        ("FROM x\n\nRUN <<EOF\na\n", 3, "EOF is never closed"),
        ("FROM x y z\n", 1, "AS with a name"),
        ("FROM x\nENV A\n", 2, "a name and a value"),
    ],
)
def test_errors_have_their_line(text, line, message):
    with pytest.raises(BuildError) as caught:
        parse(text, "app/Dockerfile")
    diagnostic = caught.value.diagnostics[0]
    assert message in diagnostic.message
    assert (diagnostic.position.file, diagnostic.position.line) == ("app/Dockerfile", line)


def test_every_problem_is_told():
    with pytest.raises(BuildError) as caught:
        parse("FROM x\nFOO\nBAR y\n")
    assert [each.position.line for each in caught.value.diagnostics] == [2, 3]
