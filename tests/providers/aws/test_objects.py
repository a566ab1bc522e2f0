"""Which objects a folder of static files becomes, and what browsers and the edge are told of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from defang_nb.providers.aws.sites.objects import FOREVER, REVALIDATED, media_type, objects, paths
from tests.providers.aws.sites import written


def test_what_a_web_server_finds_beside_files_is_there(tmp_path: Path) -> None:
    written(
        tmp_path, {"index.html": "a", "about.html": "b", "docs/index.html": "c", "docs/x": "d", "both.html": "e", "both": "f"}
    )
    found = objects(
        tmp_path, {"/old": "/new page", "/docs/x": "/never", "/docs": "/never", "/away": "https://example.org/?a=b"}
    )
    assert {key: it.location for key, it in found.items() if it.location} == {
        "docs": "/docs/", "old": "/new%20page", "away": "https://example.org/?a=b",
    }  # fmt: skip
    assert set(found) - {"docs", "old", "away"} == {
        "index.html", "index", "about.html", "about", "docs/index.html", "docs/", "docs/index", "docs/x", "both.html", "both",
    }  # fmt: skip
    assert found["about"] == found["about.html"] and found["docs/"] == found["docs/index.html"]
    assert found["both"].etag != found["both.html"].etag
    assert (found["docs"].status, found["old"].status) == (301, 302)
    assert found["old"].etag != found["away"].etag, "another place is another content"


def test_a_link_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    folder = written(tmp_path / "site", {"a.txt": "a"})
    (folder / "out").symlink_to("../secret")
    (folder / "in").symlink_to("a.txt")
    assert set(objects(folder, {})) == {"a.txt", "in"}


@pytest.mark.parametrize(
    ("name", "cache"),
    [
        ("main.3f2a9c1b.js", FOREVER),
        ("index-DiwrgTd2.js", FOREVER),
        ("logo-0123abcd4567.png", FOREVER),
        ("index.html", REVALIDATED),
        ("my-document.js", REVALIDATED),
        ("report-20240101.csv", REVALIDATED),
        ("photo-deadbeef.jpg", REVALIDATED),
        ("Photo-Img2024a.jpg", REVALIDATED),
        ("app.js", REVALIDATED),
    ],
)
def test_only_what_never_changes_is_kept_for_ever(tmp_path: Path, name: str, cache: str) -> None:
    assert objects(written(tmp_path, {name: "x"}), {})[name].cache == cache


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("A.JS", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.wasm", "application/wasm"),
        ("a.webmanifest", "application/manifest+json"),
        ("LICENSE", "application/octet-stream"),
    ],
)
def test_types_do_not_depend_on_the_machine(name: str, type_: str) -> None:
    assert media_type(name) == type_


def test_a_key_is_a_path_of_no_other() -> None:
    assert paths("docs/a b*?.txt") == "/docs/a%20b%2A%3F.txt"
