"""A folder out of an image's layers: what they add, what they take away, and nothing from elsewhere."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from defang_nb.errors import ProviderError
from defang_nb.providers.aws.sites.pulled import add

PLACE = "/app/dist"


def layer(path: Path, *members: tuple[str, str]) -> Path:
    """A layer: name and content; a name with a slash at its end is a folder, a content that begins with `->` a link."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in members:
            info = tarfile.TarInfo(name.rstrip("/"))
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            elif text.startswith("->"):
                info.type, info.linkname = tarfile.SYMTYPE, text.removeprefix("->")
            elif text.startswith("=>"):
                info.type, info.linkname = tarfile.LNKTYPE, text.removeprefix("=>")
            else:
                info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()) if info.isfile() else None)
    path.write_bytes(gzip.compress(packed.getvalue()))
    return path


def seen(folder: Path) -> dict[str, str]:
    return {each.relative_to(folder).as_posix(): each.read_text() for each in sorted(folder.rglob("*")) if each.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    made.mkdir()
    return made


def test_layers_add_change_and_take_away(tmp_path: Path, folder: Path) -> None:
    blob = tmp_path / "layer"
    first = layer(
        blob, ("app/dist/", ""), ("app/dist/a", "1"), ("app/dist/b/c", "2"), ("app/other", "x"), ("./app/dist/d", "4")
    )
    add(first, PLACE, folder)
    assert seen(folder) == {"a": "1", "b/c": "2", "d": "4"}
    add(
        layer(blob, ("app/dist/a", "one"), ("app/dist/.wh.d", ""), ("app/dist/b/.wh..wh..opq", ""), ("app/dist/b/e", "5")),
        PLACE,
        folder,
    )
    assert seen(folder) == {"a": "one", "b/e": "5"}
    add(layer(blob, ("app/.wh.dist", ""), ("app/dist/new", "6")), PLACE, folder)
    assert seen(folder) == {"new": "6"}
    add(layer(blob, ("app/dist/new/", ""), ("app/dist/new/x", "7"), ("app/dist/y/z", "8")), PLACE, folder)
    add(layer(blob, ("app/dist/y", "9")), PLACE, folder)
    assert seen(folder) == {"new/x": "7", "y": "9"}


def test_nothing_is_written_or_read_outside(tmp_path: Path, folder: Path) -> None:
    members = (
        ("app/dist/../../../escaped", "x"), ("app/dist/out", "->/etc/passwd"), ("app/dist/up", "->../../x"),
        ("app/dist/in", "->a"), ("app/dist/a", "1"), ("app/dist/self", "->."), ("app/dist/self/b", "2"), ("app/distant", "x"),
    )  # fmt: skip
    add(layer(tmp_path / "layer", *members), PLACE, folder)
    assert seen(folder) == {"a": "1", "in": "1"}
    assert not (tmp_path / "escaped").exists()


def test_a_hard_link_is_a_file(tmp_path: Path, folder: Path) -> None:
    add(layer(tmp_path / "layer", ("app/dist/a", "1"), ("app/dist/b", "=>app/dist/a")), PLACE, folder)
    assert seen(folder) == {"a": "1", "b": "1"}


def test_what_is_no_archive_is_one_clear_error(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "layer").write_bytes(b"\x28\xb5\x2f\xfd" + b"x" * 2000)
    with pytest.raises(ProviderError, match="can't be read") as refused:
        add(tmp_path / "layer", PLACE, folder)
    assert "zstd" in refused.value.hint
