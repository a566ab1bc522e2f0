"""Compare our loader with the reference, docker compose, side by side: on the cases of this folder and on real Compose files.

    python tests/compose/compare.py [--reference PROGRAM] [--record] [--cases NAME]... [FOLDER...]

Without FOLDER: our own cases, as the reference answers them now; `--record` keeps its answers, which `make test` holds us to.
With FOLDER: every Compose file in it, both programs as whole processes. A refusal of ours must name its file and place.
Exit code 1 when something differs. `scripts/reference.py` gets the reference where PROGRAM isn't given.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from tests.compose import agreement  # noqa: E402 - found from the root of the project

WORKERS = 2
NOT_COMPOSE = (".git", ".github", "node_modules")


class _Loader(yaml.CSafeLoader):
    """YAML as JSON has it: no dates, and `=` is text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith((":timestamp", ":value"))]
    for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Outcome:
    """One comparison: "" in `why` is agreement. `refused` says whether the reference refuses."""

    name: str
    why: str = ""
    detail: str = ""
    refused: bool = False
    seconds: tuple[float, float] = (0.0, 0.0)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--reference", metavar="PROGRAM", help="the docker-compose program (default: scripts/reference.py gets it)"
    )
    parser.add_argument("--record", action="store_true", help="keep the reference's answers to our own cases")
    parser.add_argument("--cases", action="append", metavar="NAME", help="only the cases of cases/NAME.yaml")
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="folders of real Compose files")
    given = parser.parse_args(words)
    reference = given.reference or _reference()
    own = not given.folders
    outcomes = own_cases(reference, given.cases, record=given.record) if own else real_files(reference, given.folders)
    for each in outcomes:
        if each.why:
            print(f"{each.name}: {each.why}: {each.detail}")
    agreed = sum(not each.why for each in outcomes)
    refused = sum(each.refused for each in outcomes)
    print(f"{agreed} of {len(outcomes)} as the reference ({refused} of them it refuses)")
    if given.folders:
        theirs, own = (sum(each.seconds[index] for each in outcomes) for index in (0, 1))
        print(f"whole processes: the reference {theirs:.1f} s, ours {own:.1f} s")
    return 0 if agreed == len(outcomes) else 1


def _reference() -> str:
    found = subprocess.run([sys.executable, ROOT / "scripts" / "reference.py"], check=True, capture_output=True, text=True)
    return found.stdout.strip()


# ---- our own cases -------------------------------------------------------------------------------------------------------


def own_cases(reference: str, names: Iterable[str] | None, *, record: bool) -> list[Outcome]:
    """Each case of `names` (all files' by default), asked of both sides now."""
    outcomes: list[Outcome] = []
    files = [agreement.CASES / f"{name}.yaml" for name in names] if names else sorted(agreement.CASES.glob("*.yaml"))
    for file in files:
        found = agreement.cases(file)
        with ThreadPoolExecutor(WORKERS) as pool:
            pairs = list(pool.map(partial(_case, reference, file.stem), found, found.values()))
        outcomes += [outcome for outcome, _ in pairs]
        if record:
            lines = [json.dumps(answer, sort_keys=True) for _, answer in pairs]
            file.with_suffix(".jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return outcomes


def _case(reference: str, topic: str, name: str, case: agreement.Case) -> tuple[Outcome, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = agreement.put(case, Path(temporary).resolve())
        before, after = agreement.arguments(case, folder)
        command = [reference, *before, "config", "--format", "yaml", *after]
        environment = {"PATH": os.environ["PATH"], **agreement.environment(case, folder)}
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        ours = agreement.ours(case, folder)
        answer: dict[str, Any] = {"case": name, "ok": ran.returncode == 0}
        if ran.returncode == 0:
            answer["model"] = agreement.placeless(yaml.load(ran.stdout, Loader=_Loader), folder)
        why, detail = _judge(ours, answer, ran.stderr.strip())
        if "differs" in case:
            why, detail = ("", "") if why else ("we agree by now", f"remove `differs: {case['differs']}`")
    return Outcome(f"{topic}/{name}", why, detail.replace(str(folder), ""), ran.returncode != 0), answer


def _judge(ours: dict[str, Any], theirs: dict[str, Any], said: str) -> tuple[str, str]:
    if ours["ok"] and not theirs["ok"]:
        return "we take what the reference refuses", said
    if theirs["ok"] and not ours["ok"]:
        return "we refuse what the reference takes", ours["error"]
    if not theirs["ok"]:
        return ("", "") if ours["placed"] else ("our refusal has no place", ours["error"])
    if agreement.agree(ours["model"], theirs["model"]):
        return "", ""
    return "the models differ", "; ".join(agreement.differences(ours["model"], theirs["model"]))


# ---- real files ----------------------------------------------------------------------------------------------------------


def real_files(reference: str, folders: Iterable[Path]) -> list[Outcome]:
    """Every Compose file below `folders`, by both programs."""
    outcomes: list[Outcome] = []
    for folder in folders:
        root = folder.resolve()
        files = [file for file in sorted(root.rglob("*")) if _is_compose(file)]
        with ThreadPoolExecutor(WORKERS) as pool:
            found = list(pool.map(partial(_real, reference, root), files))
        counted = Counter(each.why or "as the reference" for each in found)
        print(f"{folder}: {', '.join(f'{count} {what}' for what, count in counted.most_common()) or 'no Compose files'}")
        outcomes += found
    return outcomes


def _is_compose(file: Path) -> bool:
    if file.suffix not in (".yml", ".yaml") or any(part in NOT_COMPOSE for part in file.parts) or not file.is_file():
        return False
    return "compose" in file.name.lower() or any(part in ("testdata", "fixtures") for part in file.parts)


def _real(reference: str, root: Path, file: Path) -> Outcome:
    environment = {"HOME": agreement.HOME, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    options = ["--profile", "*", "--all-resources", "-f", file.name]
    own = [sys.executable, "-m", "defang_nb", "compose", "config", "--as-compose", "--format", "json", *options]
    theirs, their_time = _timed([reference, *options, "config", "--format", "yaml"], file.parent, environment)
    ours, our_time = _timed(own, file.parent, {**environment, "PYTHONPATH": str(ROOT)})
    refused, times = theirs.returncode != 0, (their_time, our_time)

    def outcome(why: str = "", detail: str = "") -> Outcome:
        return Outcome(str(file.relative_to(root)), why, detail, refused, times)

    if "Traceback (most recent call last)" in ours.stderr:
        return outcome("we crash", ours.stderr[-400:])
    if (ours.returncode == 0) and refused:
        return outcome("we take what the reference refuses", theirs.stderr.strip()[-400:])
    if ours.returncode != 0 and not refused:
        return outcome("we refuse what the reference takes", ours.stderr.strip()[-400:])
    if refused:
        placed = re.search(r"\.(ya?ml|env)\S*:\d+(:\d+)?", ours.stderr) or f"{file.name}:" in ours.stderr
        return outcome() if placed else outcome("our refusal has no place", ours.stderr.strip()[-400:])
    made, wanted = json.loads(ours.stdout), json.loads(json.dumps(yaml.load(theirs.stdout, Loader=_Loader)))
    if agreement.agree(made, wanted):
        return outcome()
    return outcome("the models differ", "; ".join(agreement.differences(made, wanted)))


def _timed(command: list[Any], folder: Path, environment: dict[str, str]) -> tuple[subprocess.CompletedProcess[str], float]:
    start = time.perf_counter()
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return ran, time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
