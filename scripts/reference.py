"""Unpack the reference, docker compose, from Debian's package, and print where its program is. Needs apt; installs nothing.

    python scripts/reference.py [--suite SUITE] [FOLDER]

It is kept in FOLDER (by default ~/.cache/defang-nb/reference) and fetched once.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

PROGRAM = "root/usr/libexec/docker/cli-plugins/docker-compose"
SOURCES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--suite", default="sid", help="Debian's suite (default: sid)")
    parser.add_argument("folder", nargs="?", type=Path, default=Path.home() / ".cache" / "defang-nb" / "reference")
    given = parser.parse_args()
    program = given.folder.absolute() / PROGRAM
    try:
        if not program.is_file():
            _unpack(given.folder.absolute(), given.suite)
    except (OSError, subprocess.CalledProcessError) as problem:
        said = getattr(problem, "stderr", None) or problem
        sys.stderr.write(f"the reference could not be had: {said}\nGive one with --reference PROGRAM.\n")
        return 1
    sys.stdout.write(f"{program}\n")
    return 0


def _unpack(folder: Path, suite: str) -> None:
    for each in ("lists/partial", "cache/archives/partial", "root"):
        (folder / each).mkdir(parents=True, exist_ok=True)
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (folder / "sources.list").write_text(f"deb [signed-by={keys}] {_mirror()} {suite} main\n", encoding="utf-8")
    options = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder / "cache",
    }
    apt = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in options.items())]
    _run([*apt, "update"], folder)
    _run([*apt, "download", "docker-compose"], folder)
    package = max(folder.glob("docker-compose_*.deb"), key=lambda file: file.stat().st_mtime)
    _run(["dpkg", "-x", str(package), str(folder / "root")], folder)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)


def _mirror() -> str:
    """Debian's archive that this machine uses."""
    files = [file for place in map(Path, SOURCES) for file in ([place] if place.is_file() else place.glob("*"))]
    for file in files:
        if found := re.search(r"https?://\S+/debian/?(?=\s)", file.read_text(encoding="utf-8", errors="replace")):
            return found[0]
    return "http://deb.debian.org/debian"


if __name__ == "__main__":
    sys.exit(main())
