"""`.dockerignore` rules, as moby's patternmatcher has them."""

import pytest

from defang_nb.build.ignore import Ignore, load
from defang_nb.errors import BuildError
from defang_nb.model.source import Position


def excluded(patterns, path):
    rules = Ignore(patterns)
    verdicts = ()
    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        verdicts = rules.verdicts("/".join(parts[:end]), verdicts)
    return rules.excludes(verdicts)


@pytest.mark.parametrize(
    ("patterns", "path", "out"),
    [
        (["*.md"], "README.md", True),
        (["*.md"], "docs/README.md", False),
        (["**/*.md"], "docs/deep/README.md", True),
        (["**/*.md"], "README.md", True),
        (["docs"], "docs/a/b", True),
        (["/docs/"], "docs/a", True),
        (["a/**/z"], "a/z", True),
        (["a/**/z"], "a/b/c/z", True),
        (["**"], "anything/at/all", True),
        (["foo/**"], "foo/bar", True),
        (["?.txt"], "a.txt", True),
        (["?.txt"], "ab.txt", False),
        (["[ab].txt"], "b.txt", True),
        (["[^ab].txt"], "b.txt", False),
        (["*", "!keep"], "keep", False),
        (["*", "!keep"], "keep/inside", False),
        (["*", "!src/*.py"], "src/a.py", False),
        (["*", "!src/*.py"], "src/a.txt", True),
        (["docs", "!docs/a.md", "docs/a*"], "docs/a.md", True),
        (["a.b"], "axb", False),
        (["a\\*b"], "a*b", True),
        (["a\\*b"], "axb", False),
        (["./build"], "build", True),
        (["a//b"], "a/b", True),
        (["**.pyc"], "deep/a.pyc", True),
        (["**foo"], "a/xfoo", True),
        (["**/foo"], "a/xfoo", False),
        (["foo**"], "foobar", True),
        (["f*o**"], "foo/bar", True),
        (["a**b"], "axb", False),
        (["a**b"], "ax/b", True),
        (["[!a].txt"], "!.txt", True),
        (["[!a].txt"], "b.txt", False),
        (["(a)+{b}|c$"], "(a)+{b}|c$", True),
        (["*", "! keep"], "keep", False),
        (["a\nb"], "a", False),
        # A rule that changes nothing as its turn comes does not apply to what is inside of the folder either.
        (["*", "!foo/bar", "foo"], "foo/bar", False),
        (["*", "!foo/bar", "foo", "foo/*"], "foo/bar", True),
    ],
)
def test_patterns(patterns, path, out):
    assert excluded(patterns, path) is out


def test_a_folder_is_pruned_unless_something_in_it_is_taken_back():
    plain = Ignore(["node_modules"])
    assert plain.prunes("node_modules", plain.verdicts("node_modules"))
    back = Ignore(["src", "!src/deep/keep"])
    assert not back.prunes("src", back.verdicts("src"))
    wild = Ignore(["src", "!**/keep"])
    assert not wild.prunes("src", wild.verdicts("src"))


def test_the_dockerfiles_own_file_comes_first_then_the_common_one_then_a_default(tmp_path):
    assert excluded_by(tmp_path, "node_modules") and load(tmp_path, "Dockerfile").file == ""
    (tmp_path / ".dockerignore").write_text("# comment\n\nb\n")
    assert load(tmp_path, "Dockerfile").file == ".dockerignore"
    assert excluded_by(tmp_path, "b") and not excluded_by(tmp_path, "node_modules")
    (tmp_path / "Dockerfile.dockerignore").write_text("c\n")
    assert load(tmp_path, "Dockerfile").file == "Dockerfile.dockerignore"
    assert excluded_by(tmp_path, "c") and not excluded_by(tmp_path, "b")


def test_the_notebook_that_deploys_is_left_out_unless_the_build_names_it(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    assert excluded_by(tmp_path, "deploy.ipynb")
    assert not excluded_by(tmp_path, "sub/deploy.ipynb")
    (tmp_path / "Dockerfile").write_text("FROM x\nCMD voila app.ipynb\n")
    assert not excluded_by(tmp_path, "deploy.ipynb")


def excluded_by(folder, path):
    rules = load(folder, "Dockerfile")
    verdicts = ()
    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        verdicts = rules.verdicts("/".join(parts[:end]), verdicts)
    return rules.excludes(verdicts)


@pytest.mark.parametrize("pattern", ["!", "[", "a[]", "a\\", "ok\n[a-", "! "])
def test_a_pattern_that_is_wrong_is_told_with_its_line(tmp_path, pattern):
    (tmp_path / ".dockerignore").write_text(f"# comment\n{pattern}\n")
    with pytest.raises(BuildError) as told:
        load(tmp_path, "")
    assert told.value.diagnostics[0].position == Position(".dockerignore", 2 + pattern.count("\n"))
