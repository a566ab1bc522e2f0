"""The loader against answers of the reference (docker compose): those recorded beside our own cases, and more where at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.compose import agreement

MORE = Path(__file__).parents[3] / "shared" / "compose-cases.jsonl"


def _disagreement(case: agreement.Case, answer: Mapping[str, Any], parent: Path) -> str:
    ours = agreement.ours(case, agreement.put(case, parent))
    if ours["ok"] != answer["ok"]:
        return f"taken: {ours['ok']}, by the reference: {answer['ok']} {ours.get('error', '')}"
    if not ours["ok"]:
        return "" if ours["placed"] else f"a refusal without a place: {ours['error']}"
    return "; ".join(agreement.differences(ours["model"], answer["model"]))


@pytest.mark.parametrize("topic", [file.stem for file in sorted(agreement.CASES.glob("*.yaml"))])
def test_answers_as_the_reference(topic: str, tmp_path: Path) -> None:
    file = agreement.CASES / f"{topic}.yaml"
    answers = agreement.answers(file)
    cases = agreement.cases(file)
    assert set(answers) == set(cases), "make compare RECORD=1 records the reference's answers"
    wrong = {
        name: why
        for name, case in cases.items()
        if bool(why := _disagreement(case, answers[name], tmp_path / name)) != ("differs" in case)
    }
    assert not wrong


def test_answers_as_the_reference_did_elsewhere(tmp_path: Path) -> None:
    if not MORE.is_file():
        pytest.skip(f"no more reference cases: put them at {MORE}, one JSON object a line")
    wrong = {}
    for name, case, answer in _more():
        if why := _disagreement(case, answer, tmp_path / name):
            wrong[name] = why
    assert not wrong


def _more() -> Iterator[tuple[str, agreement.Case, dict[str, Any]]]:
    for line in MORE.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        if not case.get("head_differs"):
            yield case["id"], {**case, "discover": bool(case.get("nof"))}, case["expect"]
