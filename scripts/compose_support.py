"""Make docs/compose-support.md from the engines' tables (`defang_nb/providers/support/*.toml`).

`--check` writes nothing and fails when the page is not what the tables give.
"""

from __future__ import annotations

import sys
from pathlib import Path

from defang_nb.providers.support import Case, Support, Verdict, engines, support

PAGE = Path(__file__).parents[1] / "docs" / "compose-support.md"
SIGNS = {Verdict.HONOURED: "✔", Verdict.MOOT: "–", Verdict.IGNORED: "⚠ ignored", Verdict.REFUSED: "✘ refused"}
HEAD = """\
# What each engine honours of a Compose file

<!-- Made by `scripts/compose_support.py` from `defang_nb/providers/support`; not edited by hand. -->

Every Compose file that is valid loads. What the place to deploy to can't honour is said before anything is touched, with the
file, line and column: as a warning (⚠, it goes on without) or an error (✘, nothing is started). ✔ is honoured as Compose means
it, with the exceptions listed below the table; – asks for nothing there, and nobody misses it. A path speaks for everything
below it that has no line of its own; `*` stands for a name, `[*]` for an item of a list.
"""


def page() -> str:
    tables = {name: support(name) for name in engines()}
    paths = sorted({path for table in tables.values() for path in table.rows}, key=_order)
    lines = [
        HEAD,
        f"| Path | {' | '.join(table.title for table in tables.values())} |",
        f"|---|{'---|' * len(tables)}",
        *(f"| `{path}` | {' | '.join(_cell(table, path) for table in tables.values())} |" for path in paths),
    ]
    for table in tables.values():
        lines += ["", f"## Exceptions: {table.title}", "", "| Path | | What is said |", "|---|---|---|"]
        lines += [f"| `{case.path}` | {case.level.value} | {_case(table, case)} |" for case in table.cases]
    return "\n".join(lines) + "\n"


def _order(path: str) -> tuple[int, str]:
    """The top level's own keys first, then services."""
    return (0 if "." not in path else 1 if path.startswith("services") else 2), path


def _cell(table: Support, path: str) -> str:
    found = table.verdict(path)
    if found is None:
        return ""
    verdict, says = found
    return ": ".join(filter(None, (SIGNS[verdict], says + _unless(table, path)))).replace("|", "\\|")


def _unless(table: Support, path: str) -> str:
    values = " or ".join(f"`{value}`" for value in table.unless.get(path, ()))
    return f" (unless {values})" if values else ""


def _case(table: Support, case: Case) -> str:
    hint = case.hint.replace("{way_out}", table.way_out)
    return "; ".join(filter(None, (case.says, hint))).replace("{", "‹").replace("}", "›").replace("|", "\\|")


def main(arguments: list[str]) -> int:
    made = page()
    if arguments != ["--check"]:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") != made:
        sys.stderr.write("docs/compose-support.md is not what the tables give: run `python scripts/compose_support.py`\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
