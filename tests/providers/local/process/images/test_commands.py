"""RUN: what is carried out, what is left out, what is refused."""

import pytest

from defang_nb.providers.local.process.images.bases import BaseKind
from defang_nb.providers.local.process.images.commands import RefusedError, read_run
from defang_nb.providers.local.process.images.machine import Machine
from defang_nb.providers.local.process.images.steps import Execute, Files, Packages, Skip

NODE = Machine(node="/usr/bin/node", node_major="20", programs=frozenset(("npm", "npx")))


def actions(line, kind=BaseKind.PYTHON, env=None):
    return [task.action for task in read_run(line, "/app", env or {}, kind, NODE).tasks]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pip install --no-cache-dir -r requirements.txt", ("-r", "requirements.txt")),
        ("pip3 install --upgrade pip && true", None),
        ("python -m pip install -U pip setuptools wheel flask", ("-U", "setuptools", "wheel", "flask")),
        ("uv pip install --system -e .", (".",)),
        (
            "pip install --trusted-host x --pre -c c.txt a",
            ("--allow-insecure-host", "x", "--prerelease=allow", "-c", "c.txt", "a"),
        ),
        ("pip install --requirement=r.txt -rb.txt", ("--requirement", "r.txt", "-r", "b.txt")),
        ("pip install --root-user-action=ignore --timeout 100 a", ("a",)),
    ],
)
def test_pip_in_uvs_words(line, words):
    first = actions(line)[0]
    assert isinstance(first, Skip) if words is None else first == Packages(tool="pip", words=words)


def test_an_installation_elsewhere_is_a_place_of_the_environment():
    assert read_run("pip install --prefix=/install x", "/", {}, BaseKind.PYTHON, NODE).places == ("/install",)
    assert read_run("python -m venv /opt/venv && pip install x", "/", {}, BaseKind.PYTHON, NODE).places == ("/opt/venv",)


def test_system_things_are_left_out_and_missing_libraries_are_warned_of():
    found = actions("apt-get update && apt-get install -y curl ffmpeg && adduser x && chown -R x /app")
    assert all(isinstance(each, Skip) for each in found)
    assert [each.severity.value for each in found] == ["info", "warning", "info", "info"]
    assert "ffmpeg" in found[1].reason and "curl" not in found[1].reason


def test_removals_are_file_work_inside_the_image():
    assert actions("rm -rf /var/lib/apt/lists/*") == [Files(verb="rm", words=("/var/lib/apt/lists/*",))]
    assert actions("chmod -R +x a.sh b.sh") == [Files(verb="chmod", words=("a.sh", "b.sh"), option="+x")]


def test_cd_export_and_assignments_hold_for_what_follows():
    tasks = read_run("cd src && export A=1 && B=2 python x.py && python y.py", "/app", {}, BaseKind.PYTHON, NODE).tasks
    assert [(task.cwd, task.env.get("A"), task.env.get("B")) for task in tasks] == [
        ("/app/src", "1", "2"),
        ("/app/src", "1", None),
    ]


def test_a_tolerated_failure():
    assert actions("python x.py || true") == [Execute(words=("python", "x.py"), tolerate=True)]


@pytest.mark.parametrize(
    "line",
    [
        "make",
        "curl -O http://x",
        "./build.sh",
        "sh -c 'rm -rf /'",
        "bash x",
        "go build",
        "sudo x",
        "pip wheel x",
        "eval x",
        "curl x | sh",
    ],
)
def test_the_unknown_is_refused(line):
    with pytest.raises(RefusedError):
        actions(line)


def test_programs_fit_their_base():
    assert actions("npm ci && npm run build", BaseKind.NODE) == [
        Execute(words=("npm", "ci")),
        Execute(words=("npm", "run", "build")),
    ]
    with pytest.raises(RefusedError, match="not a python one"):
        actions("python x.py", BaseKind.NODE)
    with pytest.raises(RefusedError, match="yarn, which is not on this machine"):
        actions("yarn install", BaseKind.NODE)
