"""Install VS Code in a browser (code-server) and its Jupyter extension into a folder, for `make vscode`.

    python scripts/vscode.py FOLDER [EXTENSION …]

Needs npm, and no compiler: what code-server would compile it can do without. An EXTENSION is a .vsix file; without any,
Jupyter's come from the registry of extensions that code-server knows.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

NODE = "node@24.21.0"
"""code-server runs on this version only; npm has it as a package."""
CODE_SERVER = "code-server@4.139.1"
EXTENSIONS = ["ms-toolsai.jupyter", "ms-toolsai.jupyter-renderers"]
"""The second one brings the widgets' JavaScript."""


def main(folder: Path, given: list[str]) -> None:
    done = folder / "installed"
    wanted = "\n".join([NODE, CODE_SERVER, *(given or EXTENSIONS)])
    if done.is_file() and done.read_text() == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    npm(folder, "--prefix", ".", NODE, CODE_SERVER)
    subprocess.run(["npm", "rebuild", "--prefix", ".", "node"], cwd=folder, check=True)
    for part in ("lib/vscode", "lib/vscode/extensions"):
        npm(folder / "node_modules/code-server" / part, "--omit=dev")
    shutil.rmtree(folder / "extensions", ignore_errors=True)
    for each in given or EXTENSIONS:
        install(folder, each)
    done.write_text(wanted)


def npm(folder: Path, *arguments: str) -> None:
    subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *arguments], cwd=folder, check=True)


def command(folder: Path) -> list[str]:
    """code-server with the extensions of `folder`, and nothing of the user's own."""
    program = [folder / "node_modules/node/bin/node", folder / "node_modules/code-server/out/node/entry.js"]
    return [*map(str, program), "--extensions-dir", str(folder / "extensions")]


def install(folder: Path, extension: str) -> None:
    own = ["--user-data-dir", str(folder / "user"), "--config", str(folder / "config.yaml")]
    if subprocess.run([*command(folder), *own, "--install-extension", extension]).returncode:
        sys.exit(f"{extension} could not be installed; where none is to be had: make vscode EXTENSIONS='a.vsix b.vsix'")


if __name__ == "__main__":
    if shutil.which("npm") is None:
        sys.exit("npm is not here: install Node.js (on Debian and Ubuntu, apt-get install npm)")
    main(Path(sys.argv[1]).absolute(), sys.argv[2:])
