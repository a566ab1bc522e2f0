"""Contexts: the digest tells content, modes and links; archives are reproducible, limits hold, unpacking stays inside."""

import io
import os
import subprocess
import tarfile
import threading
import time

import pytest

from defang_nb.build import archive, manifest, unpack
from defang_nb.errors import BuildError


@pytest.fixture
def context(tmp_path):
    folder = tmp_path / "context"
    (folder / "src").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "src" / "a.py").write_text("print(1)\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o750)
    (folder / "link").symlink_to("src/a.py")
    return folder


def test_a_manifest_holds_files_folders_links_and_modes_in_order(context):
    found = [(each.path, each.kind, each.mode, each.target) for each in manifest(context).entries]
    assert found == [
        ("empty", "folder", 0o755, ""),
        ("link", "link", 0o777, "src/a.py"),
        ("run.sh", "file", 0o755, ""),
        ("src", "folder", 0o755, ""),
        ("src/a.py", "file", 0o644, ""),
    ]


def test_the_digest_is_the_contents_and_nothing_elses(context, tmp_path):
    before = manifest(context).digest
    os.utime(context / "src" / "a.py", (1, 1))
    (context / "src" / "a.py").chmod(0o600)
    assert manifest(context).digest == before
    (context / "src" / "a.py").write_text("print(2)\n")
    changed = manifest(context).digest
    (context / "run.sh").chmod(0o640)
    assert len({before, changed, manifest(context).digest}) == 3


def test_ignored_files_change_nothing_but_the_dockerfile_is_always_there(context):
    (context / ".dockerignore").write_text("*\n!src\n")
    (context / "Dockerfile").write_text("FROM x\n")
    assert [each.path for each in manifest(context, "Dockerfile").entries] == [".dockerignore", "Dockerfile", "src", "src/a.py"]
    before = manifest(context, "Dockerfile").digest
    (context / "junk").write_text("x")
    assert manifest(context, "Dockerfile").digest == before
    (context / "Dockerfile").write_text("FROM y\n")
    assert manifest(context, "Dockerfile").digest != before


def test_a_file_that_is_left_out_changes_nothing(context):
    before = manifest(context)
    (context / "plan.json").write_text("{}")
    assert manifest(context, without=context / "plan.json").digest == before.digest != manifest(context).digest


def test_archives_of_one_manifest_are_the_same_bytes(context, tmp_path):
    archive(manifest(context), tmp_path / "a.tar.gz")
    os.utime(context / "src" / "a.py", (time.time() + 99, time.time() + 99))
    archive(manifest(context), tmp_path / "b.tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()


def test_unpacking_gives_the_same_manifest(context, tmp_path):
    archive(manifest(context), tmp_path / "a.tar.gz")
    unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert manifest(tmp_path / "out").entries == manifest(context).entries
    assert (tmp_path / "out" / "link").readlink().as_posix() == "src/a.py"


def test_a_file_that_changes_while_packing_is_told(context, tmp_path):
    old = manifest(context)
    (context / "src" / "a.py").write_text("print(2)\n")
    with pytest.raises(BuildError, match=r"a\.py changed while"):
        archive(old, tmp_path / "a.tar.gz")
    assert not list(tmp_path.glob("*.tar.gz*"))


def test_the_stat_cache_notices_every_change(context, tmp_path):
    cache = tmp_path / "stamps"
    first = manifest(context, cache=cache).digest
    old = time.time() - 100
    os.utime(context / "src" / "a.py", (old, old))
    manifest(context, cache=cache)
    assert manifest(context, cache=cache).digest == first
    (context / "src" / "a.py").write_text("print(2)\n")  # the same size
    os.utime(context / "src" / "a.py", (old, old))  # and the same time
    assert manifest(context, cache=cache).digest == manifest(context).digest != first
    cache.write_bytes(b"damaged")
    assert manifest(context, cache=cache).digest == manifest(context).digest


def test_a_context_over_the_limit_is_refused_with_its_biggest_files(context):
    (context / "data.bin").write_bytes(b"x" * 5000)
    with pytest.raises(BuildError) as caught:
        manifest(context, environ={"DEFANG_BUILD_CONTEXT_LIMIT": "4k"})
    assert "data.bin (4.9 KiB)" in caught.value.message
    assert "DEFANG_BUILD_CONTEXT_LIMIT" in caught.value.hint
    assert manifest(context, environ={"DEFANG_BUILD_CONTEXT_LIMIT": "1MiB"}).size > 5000
    with pytest.raises(BuildError, match="must be a size"):
        manifest(context, environ={"DEFANG_BUILD_CONTEXT_LIMIT": "much"})


def test_a_large_context_is_warned_of(context):
    (context / "data.bin").write_bytes(b"\0" * (11 * 1024 * 1024))
    assert [each.code for each in manifest(context).diagnostics] == ["context-large"]


def test_a_link_out_of_the_context_is_warned_of_and_not_unpacked(context, tmp_path):
    (context / "src" / "out").symlink_to("../../secret")
    (context / "etc").symlink_to("/etc")
    found = manifest(context)
    assert [each.code for each in found.diagnostics] == ["context-link", "context-link"]
    archive(found, tmp_path / "a.tar.gz")
    unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert not (tmp_path / "out" / "etc").is_symlink()
    assert not (tmp_path / "out" / "src" / "out").is_symlink()


def member(name, kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "members",
    [
        [member("../evil")],
        [member("/evil")],
        [member("a/../../evil")],
        [member("link", tarfile.SYMTYPE, "sub"), member("link/evil")],
        [member("device", tarfile.CHRTYPE)],
        [member("hard", tarfile.LNKTYPE, "/etc/passwd")],
    ],
)
def test_an_archive_that_would_write_elsewhere_is_refused(tmp_path, members):
    with tarfile.open(tmp_path / "bad.tar.gz", "w:gz") as tar:
        for each in members:
            tar.addfile(each, io.BytesIO())
    with pytest.raises(BuildError):
        unpack(tmp_path / "bad.tar.gz", tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("evil"))


def test_a_damaged_archive_is_told(tmp_path):
    (tmp_path / "bad.tar.gz").write_bytes(b"not gzip at all")
    with pytest.raises(BuildError, match="damaged"):
        unpack(tmp_path / "bad.tar.gz", tmp_path / "out")


def test_an_archive_is_what_other_programs_read(context, tmp_path):
    deep = context / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    (deep / "a file with a long path.txt").write_text("long")
    (context / "grüße.txt").write_text("hallo")
    (context / "far").symlink_to("x/" * 60 + "y")
    (context / "empty.txt").touch()
    (context / "large.bin").write_bytes(bytes(range(256)) * 3000)
    archive(manifest(context), tmp_path / "a.tar.gz")
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        members = tar.getmembers()
        assert [each.name for each in members] == [each.path for each in manifest(context).entries]
        assert {(each.mtime, each.uid, each.gid, each.uname, each.gname) for each in members} == {(0, 0, 0, "", "")}
        assert {each.name: oct(each.mode) for each in members if each.name in ("run.sh", "src", "src/a.py")} == {
            "run.sh": "0o755",
            "src": "0o755",
            "src/a.py": "0o644",
        }
    done = subprocess.run(["tar", "-xzf", "a.tar.gz", "--one-top-level=out"], cwd=tmp_path, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert manifest(tmp_path / "out").entries == manifest(context).entries


@pytest.mark.parametrize("change", [lambda file: file.write_text("print(123)\n"), lambda file: file.write_text("")])
def test_a_file_that_grows_or_shrinks_while_it_is_packed_is_told(context, tmp_path, change):
    old = manifest(context)
    change(context / "src" / "a.py")
    with pytest.raises(BuildError, match=r"a\.py changed while"):
        archive(old, tmp_path / "a.tar.gz")
    (context / "src" / "a.py").unlink()
    with pytest.raises(BuildError, match=r"can't pack .*a\.py"):
        archive(old, tmp_path / "a.tar.gz")


def test_what_is_given_up_and_what_finds_no_place_leaves_nothing(context, tmp_path):
    given_up = threading.Event()
    given_up.set()
    with pytest.raises(BuildError, match="was given up"):
        archive(manifest(context), tmp_path / "a.tar.gz", given_up=given_up)
    with pytest.raises(BuildError, match=rf"can't pack {context} into {tmp_path}/gone: No such file") as caught:
        archive(manifest(context), tmp_path / "gone" / "a.tar.gz")
    assert "TMPDIR" in caught.value.hint
    assert not list(tmp_path.glob("*.tar.gz*"))


@pytest.mark.parametrize("given", ["", "*.md\n"])
def test_what_an_executor_downloads_into_the_context_is_named_in_its_ignore_file(context, tmp_path, given):
    if given:
        (context / ".dockerignore").write_text(given)
    found = manifest(context)
    archive(found, tmp_path / "a.tar.gz", for_kaniko=True)
    unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    rules = (tmp_path / "out" / ".dockerignore").read_text().splitlines()
    assert rules == (["*.md", "context.tar.gz"] if given else ["context.tar.gz", ".dockerignore"])
    (context / ".dockerignore").write_text("*.py\n")
    archive(found, tmp_path / "later.tar.gz", for_kaniko=True)
    assert (tmp_path / "later.tar.gz").read_bytes() == (tmp_path / "a.tar.gz").read_bytes(), "as it was digested"
    (context / ".dockerignore").write_text(given)
    (context / "context.tar.gz").write_text("one of its own")
    archive(manifest(context), tmp_path / "a.tar.gz", for_kaniko=True)
    unpack(tmp_path / "a.tar.gz", tmp_path / "own")
    assert manifest(tmp_path / "own").entries == manifest(context).entries
