"""`python -m defang_nb.wire.generate [--check]`: make `wire/generated` from `proto/` (needs grpcio-tools and a checkout).

`--check` writes nothing and fails when what is committed is not what the contract gives.

The compilers pin their output to the versions that they come with. Those gates are cut, so that what is committed neither
depends on the tools' version nor forces the newest protobuf upon a notebook's other packages: what it uses of protobuf and
grpcio has been there since the lowest versions that pyproject.toml admits.
"""

from __future__ import annotations

import filecmp
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATED = Path(__file__).with_name("generated")
GATES = re.compile(
    r"^# Protobuf Python Version:.*\n"
    r"|^from google\.protobuf import runtime_version as .*\n"
    r"|^_runtime_version\.ValidateProtobufRuntimeVersion\((?:.*\n)+?\)\n"
    r"|^import warnings\n"
    r"|^GRPC_GENERATED_VERSION(?:.*\n)+?(?=\nclass )",
    re.MULTILINE,
)
HEADER = '"""Generated from proto/ by `python -m defang_nb.wire.generate`; not edited by hand."""\n'


def generate(folder: Path) -> None:
    """Compile every contract into `folder`, flat, with imports that work inside `defang_nb.wire.generated`."""
    import grpc_tools  # type: ignore[import-untyped]
    from grpc_tools import protoc

    includes = [ROOT / "proto", Path(grpc_tools.__file__).parent / "_proto"]
    sources = sorted((ROOT / "proto").rglob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        outputs = [f"--{kind}_out={scratch}" for kind in ("python", "pyi", "grpc_python")]
        code = protoc.main(["protoc", *(f"-I{each}" for each in includes), *outputs, *map(str, sources)])
        if code:
            raise SystemExit(code)
        folder.joinpath("__init__.py").write_text(HEADER)
        for made in sorted(Path(scratch).rglob("*.py*")):
            text = GATES.sub("", made.read_text())
            if made.stem.endswith("_grpc") and "\nclass " not in text:
                continue  # a contract without a service
            text = re.sub(r"^from defang_nb\.cd\.v1 import", "from defang_nb.wire.generated import", text, flags=re.MULTILINE)
            folder.joinpath(made.name).write_text(text)


def main(arguments: list[str]) -> int:
    if arguments != ["--check"]:
        GENERATED.mkdir(exist_ok=True)
        generate(GENERATED)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        names = sorted(each.name for each in Path(scratch).iterdir())
        _, changed, missing = filecmp.cmpfiles(scratch, GENERATED, names, shallow=False)
    if stale := changed + missing:
        sys.stderr.write(f"wire/generated is not what proto/ gives ({', '.join(stale)}): run `make proto`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
