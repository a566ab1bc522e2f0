"""Folders of static files: packed, told by their digest, and refused with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from defang_nb.build.site import packed
from defang_nb.compose import Source, load
from defang_nb.errors import ComposeError
from defang_nb.model.project import Project


def project(folder: Path, said: str) -> Project:
    text = f"services:\n  web:\n    {said}\n"
    return load([Source("compose.yaml", text)], working_dir=folder, environ={}, project_name="shop").project


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def test_a_folder_is_told_by_what_is_in_it(tmp_path: Path) -> None:
    write(tmp_path / "public", **{"index.html": "a", ".env": "SECRET=1"})
    write(tmp_path / "public" / ".git", config="x")
    write(tmp_path / "public" / ".well-known", **{"security.txt": "x"})
    found, [site] = packed(project(tmp_path, "x-defang-static-files: ./public"))
    assert [each.path for each in site.manifest.entries] == [".well-known", ".well-known/security.txt", "index.html"]
    files = found.services["web"].static_files
    assert files is not None and files.folder == str(tmp_path / "public")
    assert files.digest == site.manifest.digest and files.key == site.key == f"contexts/site-{files.digest}.tar.gz"
    write(tmp_path / "public", **{".env": "SECRET=2"})
    assert packed(project(tmp_path, "x-defang-static-files: ./public"))[1][0].key == site.key
    write(tmp_path / "public", **{"index.html": "b"})
    assert packed(project(tmp_path, "x-defang-static-files: ./public"))[1][0].key != site.key


def test_a_service_with_a_build_is_served_from_its_context(tmp_path: Path) -> None:
    write(tmp_path / "app" / "dist", **{"index.html": "a"})
    found, [site] = packed(project(tmp_path, "build: app\n    x-defang-static-files: dist"))
    assert found.services["web"].build is None
    assert [each.path for each in site.manifest.entries] == ["index.html"]


@pytest.mark.parametrize("folder", ["dist", "/app/dist"])
def test_what_a_build_makes_is_in_its_image(tmp_path: Path, folder: str) -> None:
    write(tmp_path / "app", Dockerfile="FROM scratch")
    given = project(tmp_path, f"build: app\n    x-defang-static-files: {folder}")
    assert packed(given) == (given, [])


def test_a_folder_without_an_index_is_warned_of(tmp_path: Path) -> None:
    write(tmp_path / "site", **{"other.html": "a"})
    _, [site] = packed(project(tmp_path, "x-defang-static-files: site"))
    assert [each.code for each in site.diagnostics] == ["site-index"]


def test_two_services_of_one_folder_are_packed_once(tmp_path: Path) -> None:
    write(tmp_path / "site", **{"index.html": "a"})
    text = "x-defang-static-files: site\n  other:\n    x-defang-static-files: site"
    assert len(packed(project(tmp_path, text))[1]) == 1


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ("x-defang-static-files: nowhere", "does not exist", "relative to the Compose file"),
        ("x-defang-static-files: {folder: a.txt}", "is not a folder", "relative to the Compose file"),
        ("x-defang-static-files: empty", "holds no files", "hidden files"),
        ("build: .\n    x-defang-static-files: empty", "holds no files", "hidden files"),
    ],
)
def test_a_folder_that_can_not_be_served_is_told_with_its_place(tmp_path: Path, said: str, message: str, hint: str) -> None:
    write(tmp_path, **{"a.txt": "a", "Dockerfile": "FROM scratch"})
    write(tmp_path / "empty", **{".hidden": "x"})
    with pytest.raises(ComposeError) as refused:
        packed(project(tmp_path, said))
    [problem] = refused.value.diagnostics
    assert message in problem.message and hint in problem.hint
    assert problem.position is not None and problem.position.line in (3, 4)
