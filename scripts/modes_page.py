"""Make docs/modes.md from `defang_nb/providers/aws/modes.toml`. `--check` writes nothing, and fails when the page is older."""

from __future__ import annotations

import sys
from pathlib import Path

from defang_nb.providers.aws.modes import DEFAULT, meanings, modes

PAGE = Path(__file__).parents[1] / "docs" / "modes.md"
HEAD = f"""\
# What the modes of a stack change

<!-- Made by `scripts/modes_page.py` from `defang_nb/providers/aws/modes.toml`; not edited by hand. -->

A stack on AWS has a mode, `DEFANG_MODE` in its file: how careful, and how costly, its deployments are. Where none is said it is
`{DEFAULT}`. `defang-nb stack new NAME --mode MODE` says it, `stack show NAME` shows what it comes to, and
`estimate --mode MODE` what it costs.
"""


def page() -> str:
    table = {name: meanings(mode) for name, mode in modes().items()}
    lines = [HEAD, f"| | {' | '.join(f'`{name}`' for name in table)} | |", f"|---|{'---|' * len(table)}---|"]
    lines += [
        f"| `{each[0].name}` | {' | '.join(one.value for one in each)} | {each[0].means} |"
        for each in zip(*table.values(), strict=True)
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    made = page()
    if arguments != ["--check"]:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != made:
        sys.stderr.write("docs/modes.md is not what the table gives: run `python scripts/modes_page.py`\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
