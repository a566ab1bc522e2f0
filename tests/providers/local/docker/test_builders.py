"""What of the builders needs no engine: older Dockerfiles, the registry, secrets, and the setting."""

from __future__ import annotations

import pytest

from defang_nb.build.dockerfile import parse
from defang_nb.build.hidden import held
from defang_nb.build.log import Text
from defang_nb.errors import BuildError, UsageError
from defang_nb.model.value import ConfigRef
from defang_nb.providers.local.docker.builders import setting
from defang_nb.providers.local.docker.builders.buildkit import BuildKit
from defang_nb.providers.local.docker.builders.choose import engine_builder
from defang_nb.providers.local.docker.builders.classic import Classic
from defang_nb.providers.local.docker.builders.older import adapted
from defang_nb.providers.local.docker.builders.registry import registry_of
from defang_nb.providers.local.docker.builders.unseen import relocated, shown

HEREDOCS = """\
# syntax=docker/dockerfile:1
FROM x
SHELL ["/bin/bash", "-ec"]
RUN --mount=type=cache,target=/c <<EOF
one
  two
EOF
COPY --chmod=755 <<'a.sh' b.txt /bin/
echo $1
a.sh
RUN python - <<PY | cat
print(1)
PY
CMD ["x"]
"""


def test_heredocs_keep_every_instruction_on_its_line() -> None:
    file = parse(HEREDOCS)
    text, files = adapted(file)
    again = parse(text)
    assert text.count("\n") == HEREDOCS.count("\n")
    assert [each.line for each in again.stages[0].instructions] == [each.line for each in file.stages[0].instructions]
    _, run, copy, piped, _ = again.stages[0].instructions
    assert run.words == ("/bin/bash", "-ec", "one\n  two\n") and run.flag("mount") == "type=cache,target=/c"
    [name] = files
    assert files[name] == "echo $1\n" and copy.words == (name, "b.txt", "/bin/") and copy.flag("chmod") == "755"
    assert piped.words == ("/bin/bash", "-ec", "python - <<PY | cat\nprint(1)\nPY\n")
    assert again.syntax == ""


def test_what_is_taken_from_the_context_is_taken_from_a_folder() -> None:
    text = """\
FROM x AS base
COPY --chown=me . /app/
COPY ["a b", "/c", "/d/"]
COPY --from=base /app /app
ADD https://example.org/x ../y /z/
RUN --mount=type=bind,target=/src --mount=type=cache,target=/c make
RUN --mount=type=bind,source=a,from=base,target=/src make
COPY \\
  # a comment
  one \\

  two /
COPY <<EOF three /
text
EOF
"""
    file = parse(text)
    made = relocated(file)
    again = parse(made)
    assert [each.line for each in again.stages[0].instructions][:-1] == [each.line for each in file.stages[0].instructions][:-1]
    assert [each.title for each in again.stages[0].instructions] == [
        "COPY --chown=me .defang-nb-context/. /app/",
        'COPY [".defang-nb-context/a b", ".defang-nb-context/c", "/d/"]',
        "COPY --from=base /app /app",
        "ADD https://example.org/x .defang-nb-context/y /z/",
        "RUN --mount=type=bind,target=/src,source=.defang-nb-context/. --mount=type=cache,target=/c make",
        "RUN --mount=type=bind,source=a,from=base,target=/src make",
        "COPY .defang-nb-context/one .defang-nb-context/two /",
        "COPY <<EOF .defang-nb-context/three /",
    ]
    assert again.stages[0].instructions[-1].heredocs[0].content == "text\n"
    assert shown("COPY .defang-nb-context/./a .defang-nb-context/b /") == "COPY a b /"


def test_what_has_nothing_newer_stays_as_it_is() -> None:
    text = "# escape=`\nFROM x\n\nRUN a `\n  b\n"
    assert adapted(parse(text)) == (text, {})


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ({"ApiVersion": "1.51", "Os": "linux"}, BuildKit),
        ({"ApiVersion": "1.41", "Components": [{"Name": "Engine"}]}, BuildKit),
        ({"ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]}, Classic),
        ({"ApiVersion": "1.30"}, Classic),
        ({}, Classic),
    ],
)
def test_each_engine_has_its_builder(version: dict[str, object], kind: type) -> None:
    assert isinstance(engine_builder(lambda: None, version), kind)


@pytest.mark.parametrize(
    ("given", "mirror", "address", "insecure"),
    [
        ("127.0.0.1:5000", "", "127.0.0.1:5000", ("127.0.0.1:5000",)),
        ("localhost:5000/team/", "", "localhost:5000/team", ("localhost:5000",)),
        ("registry.example/Team", "mirror.example", "registry.example/team", ()),
        ("http://registry.local:5000", "http://mirror.local", "registry.local:5000", ("registry.local:5000", "mirror.local")),
        ("https://registry.example", "[::1]:5000", "registry.example", ("[::1]:5000",)),
    ],
)
def test_the_registry_of_a_stack(given: str, mirror: str, address: str, insecure: tuple[str, ...]) -> None:
    found = registry_of({"DEFANG_REGISTRY": given, "DEFANG_REGISTRY_MIRROR": mirror})
    assert (found.address, found.insecure) == (address, insecure)


def test_a_builder_that_can_not_be_used_is_told() -> None:
    setting.check({})
    setting.check({"DEFANG_BUILDER": "Kaniko", "DEFANG_REGISTRY": "r.example"})
    with pytest.raises(UsageError, match="no builder 'buildx'"):
        setting.check({"DEFANG_BUILDER": "buildx"})
    with pytest.raises(UsageError, match="needs a registry") as told:
        setting.check({"DEFANG_BUILDER": "kaniko"})
    assert "DEFANG_REGISTRY=" in told.value.hint


def test_secrets_are_hidden_in_texts_and_errors() -> None:
    texts = {"URL": ("postgres://u:", ConfigRef("PASSWORD"), "@h"), "PLAIN": ("visible",)}
    hidden = held(texts, {"URL": "postgres://u:pw1@h", "PLAIN": "visible"}, {"PASSWORD": "pw1", "KEY": "line one\nline two"})
    assert hidden.text("visible postgres://u:pw1@h, pw1; line two") == "visible ***, ***; ***"
    error = hidden.error(BuildError("failed: pw1", hint="pw1 again"))
    assert (str(error), error.message, error.hint) == ("failed: ***", "failed: ***", "*** again")


def test_pieces_of_a_log_are_lines() -> None:
    text = Text()
    assert text.feed(b"one\ntw") == ["one"]
    assert text.feed(b"o\r\n") == ["two"]
    bar = "10%\r20%\rgrün\n".encode()
    assert (text.feed(bar[:11]), text.feed(bar[11:])) == ([], ["grün"])
    assert (text.feed(b"the rest"), text.end(), text.end()) == ([], ["the rest"], [])
