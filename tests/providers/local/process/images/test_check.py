"""What is told before anything starts."""

import pytest

from defang_nb.model.project import Build, Project, Service
from defang_nb.model.source import Position
from defang_nb.providers.local.process.images.check import check


def findings(context, machine, *, dockerfile="Dockerfile", severity="error", **service):
    web = Service(name="web", build=Build(context=str(context)), **service)
    project = Project(
        name="p",
        services={"web": web},
        working_dir=str(context.parent),
        positions={"services.web.build": Position("compose.yaml", 4, 5)},
    )
    return [each for each in check(project, web, context, dockerfile, machine) if each.severity == severity]


def test_nothing_is_wrong_with_a_plain_app(write, machine):
    assert findings(write(Dockerfile="FROM python:PY\nCOPY . .\nCMD python x\n"), machine) == []


def test_a_refusal_has_service_file_line_and_the_way_out(write, machine):
    (found,) = findings(write(Dockerfile="FROM python:PY\n\nRUN make all\nCMD x\n"), machine)
    assert (found.service, str(found.position), found.excerpt) == ("web", "context/Dockerfile:3:1", "RUN make all")
    assert found.message.startswith("service web: this RUN runs 'make'")
    assert "Docker or Podman" in found.hint


@pytest.mark.parametrize(
    ("text", "service", "codes"),
    [
        ("FROM python:PY\n", {}, ["command-missing"]),
        ("FROM python:PY\n", {"command": ("python", "x")}, []),
        ('FROM python:PY\nCMD ["x"]\n', {"entrypoint": ()}, ["command-missing"]),
        ("FROM python:PY\nCOPY missing.txt /\nCMD x\n", {}, ["copy-missing"]),
        ("FROM python:PY\nCOPY missing*.txt /\nCMD x\n", {}, []),
        ('FROM python:PY\nCMD ["nginx", "-g", "daemon off;"]\n', {}, ["program-missing"]),
        ("FROM python:PY\nFOO\n", {}, ["dockerfile-syntax"]),
    ],
)
def test_findings(write, machine, monkeypatch, text, service, codes):
    monkeypatch.setenv("PATH", "")
    assert [each.code for each in findings(write(Dockerfile=text), machine, **service)] == codes


@pytest.mark.parametrize(
    ("files", "codes"),
    [
        ({"requirements_txt": "flask\n", "app_py": "x"}, []),
        ({"requirements_txt": "flask\n"}, ["command-missing"]),
        ({"Procfile": "web: python x.py\n"}, []),
        ({"pyproject.toml": '[project]\nname = "x"\nrequires-python = ">=4"\n', "main_py": ""}, ["python-version"]),
        ({".python-version": "3.4\n", "main_py": ""}, ["python-version"]),
        ({"index.html": "hello"}, []),
        ({"go.mod": "module x"}, ["language-unsupported"]),
        ({"package.json": "{}"}, ["node-missing"]),
        ({"README": "x"}, ["nothing-detected"]),
    ],
)
def test_detection_without_a_dockerfile(write, machine, files, codes):
    found = findings(write(**files), machine, dockerfile="")
    assert [each.code for each in found] == codes
    assert all(str(each.position) == "compose.yaml:4:5" for each in found)


def test_code_that_names_container_paths_is_warned_of(write, machine):
    context = write(
        Dockerfile="FROM python:PY\nWORKDIR /app\nVOLUME /data\nCOPY . .\nCMD python main.py\n",
        main_py="a = open('/app/a.csv')\nb = '/application'\n# '/app/x'\nc = \"sqlite:////data/db\"\n",
    )
    found = findings(context, machine, severity="warning")
    assert [(str(each.position), each.code) for each in found] == [
        ("context/main.py:1:11", "container-path"),
        ("context/main.py:4:16", "container-path"),
    ]
