"""Damaged Compose projects: always a model or a refusal with places, never anything else."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compose.answers import answer
from tests.compose.mutate import files, mutated, projects

PROJECTS = projects()
OPTIONS = [{}, {"as_compose": True}, {"interpolate": False}, {"as_compose": True, "interpolate": False}]


@pytest.mark.parametrize("project", PROJECTS)
@pytest.mark.parametrize("options", OPTIONS)
def test_the_corpus_itself_loads(project: str, options: dict[str, bool], tmp_path: Path) -> None:
    assert answer(files(project), tmp_path, profiles=["*"], **options)


@given(st.sampled_from(PROJECTS), st.randoms(use_true_random=False), st.sampled_from(OPTIONS))
@settings(max_examples=max(150, settings().max_examples if settings().max_examples > 1000 else 0))
def test_damage_is_answered(project: str, random: Random, options: dict[str, bool]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        answer(files(mutated(project, random, PROJECTS)), Path(folder), profiles=["*"], **options)
