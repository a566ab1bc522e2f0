"""Image sources of a project: one for each distinct build, named by what goes into it."""

import pytest

from defang_nb.build import archive, prepare, unpack
from defang_nb.errors import ComposeError
from defang_nb.model.project import Build, Project, Service
from defang_nb.model.source import Position
from defang_nb.model.value import ConfigRef


def project(*services, positions=None):
    return Project(name="shop", services={each.name: each for each in services}, positions=positions or {})


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM python:3.11\n")
    return folder


def service(name, folder, **build):
    return Service(name=name, build=Build(context=str(folder), **build))


def test_equal_builds_are_one_image_and_others_are_not(app):
    found = prepare(
        project(
            service("web", app), service("worker", app), service("job", app, target="job"), Service(name="db", image="postgres")
        )
    )
    assert [each.source.services for each in found] == [("web", "worker"), ("job",)]
    assert found[0].source.digest == found[1].source.digest
    assert found[0].source.context_key == f"contexts/{found[0].source.digest}.tar.gz"
    first, second = (each.source.name for each in found)
    assert first != second
    assert first.startswith(f"{app.name}-")
    assert found[0].source.reference.split(":")[1] != found[1].source.reference.split(":")[1]


def test_another_user_of_an_image_changes_nothing_of_it(app):
    alone = prepare(project(service("web", app)))[0].source
    both = prepare(project(service("api", app), service("web", app)))[0].source
    assert both.services == ("api", "web")
    assert both.reference == alone.reference


def test_the_reference_changes_with_content_and_arguments_only(app):
    def reference(**build):
        return prepare(project(service("web", app, **build)))[0].source.reference

    first = reference()
    assert reference() == first
    assert reference(dockerfile="Dockerfile") == first
    assert reference(args={"A": ("1",)}) != reference(args={"A": ("2",)}) != first
    assert reference(args={"A": (ConfigRef("K"),)}) == reference(args={"A": (ConfigRef("K"),)})
    (app / "main.py").write_text("x")
    assert reference() != first


def test_without_a_dockerfile_it_is_empty(app):
    (app / "Dockerfile").unlink()
    assert prepare(project(service("web", app)))[0].source.dockerfile == ""


def test_everything_that_is_missing_is_told_with_its_place(app, tmp_path):
    positions = {
        "services.a.build": Position("compose.yaml", 3, 5),
        "services.b.build.dockerfile": Position("compose.yaml", 9, 7),
    }
    with pytest.raises(ComposeError) as caught:
        prepare(
            project(
                service("a", tmp_path / "nowhere"),
                service("b", app, dockerfile="Other"),
                service("c", app, dockerfile="../Dockerfile"),
                service("d", "https://github.com/x/y.git"),
                positions=positions,
            )
        )
    assert [(each.service, each.code) for each in caught.value.diagnostics] == [
        ("a", "context-missing"),
        ("b", "dockerfile-missing"),
        ("c", "dockerfile-outside"),
        ("d", "context-remote"),
    ]
    assert [str(each.position) for each in caught.value.diagnostics[:2]] == ["compose.yaml:3:5", "compose.yaml:9:7"]


def test_a_dockerfile_in_the_compose_file_is_part_of_the_context(app, tmp_path):
    first, other = (
        prepare(project(service("web", app, dockerfile_inline=f"FROM busybox\nRUN echo {text}\n")))[0] for text in ("a", "b")
    )
    assert first.source.reference != other.source.reference
    assert first.source.name == other.source.name
    assert first.source.dockerfile in {each.path for each in first.manifest.entries}
    archive(first.manifest, tmp_path / "x.tar.gz")
    unpack(tmp_path / "x.tar.gz", tmp_path / "out")
    assert (tmp_path / "out" / first.source.dockerfile).read_text() == "FROM busybox\nRUN echo a\n"
    assert not (app / first.source.dockerfile).exists()
