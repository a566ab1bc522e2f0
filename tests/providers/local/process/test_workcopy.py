"""Volumes as a service's own copy has them: links, and copies where one volume lies in another."""

from __future__ import annotations

from pathlib import Path

from defang_nb.model.project import Mount, Project, Service
from defang_nb.model.source import Severity
from defang_nb.providers.local.process import workcopy
from defang_nb.providers.local.process.check import check
from defang_nb.providers.local.process.engine import Engine
from defang_nb.providers.local.process.images.image import BuiltImage


def files(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def texts_in(folder: Path) -> dict[str, str]:
    return {str(each.relative_to(folder)): each.read_text() for each in sorted(folder.rglob("*")) if each.is_file()}


def test_a_volume_inside_of_a_mounted_folder_keeps_what_the_image_has(engine: Engine, tmp_path: Path) -> None:
    root = files(tmp_path / "image", app__main="old", app__gone="old", app__modules__x="built", app__lib__cache__y="built")
    image = BuiltImage(root=str(root), path_map={"/app": f"{root}/app"})
    source = files(tmp_path / "source", main="new", modules__x="mine", lib__a="new", lib__cache__y="mine", deep__b="new")
    mounts = [
        {"kind": "volume", "source": "", "target": "/app/lib/cache"},
        {"kind": "volume", "source": "", "target": "/app/modules"},
        {"kind": "bind", "source": str(source), "target": "/app"},
    ]
    before = texts_in(source)
    made = workcopy.make(engine, "p", "web", image, mounts)
    place = made.host_path("/app")
    assert texts_in(place) == {"deep/b": "new", "lib/a": "new", "lib/cache/y": "built", "main": "new", "modules/x": "built"}
    (place / "main").write_text("changed")
    assert texts_in(source) == before


def test_a_mounted_folder_alone_is_the_folder_itself(engine: Engine, tmp_path: Path) -> None:
    root = files(tmp_path / "image", app__main="old")
    source = files(tmp_path / "source", main="new")
    mounts = [{"kind": "bind", "source": str(source), "target": "/app"}]
    made = workcopy.make(engine, "p", "web", BuiltImage(root=str(root), path_map={"/app": f"{root}/app"}), mounts)
    (made.host_path("/app") / "main").write_text("changed")
    assert texts_in(source) == {"main": "changed"}


def test_a_copied_folder_is_told(tmp_path: Path) -> None:
    volumes = (Mount(kind="bind", source="/src", target="/app"), Mount(kind="volume", source="", target="/app/modules"))
    found = check(Project(name="p", services={"web": Service(name="web", image="x", volumes=volumes)}))
    assert [each.severity for each in found if each.code == "mount-copied"] == [Severity.WARNING]
