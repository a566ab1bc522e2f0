"""What a Dockerfile tells of its image, for those who run it where nobody looks into images."""

from __future__ import annotations

from pathlib import Path

import pytest

from defang_nb.build import prepare
from defang_nb.build.dockerfile import parse
from defang_nb.build.traits import traits
from defang_nb.model.image import Traits
from defang_nb.model.project import Build, Healthcheck, Project, Service

CHECK = Healthcheck(test=("CMD", "ok"), interval=5.0)


@pytest.mark.parametrize(
    ("text", "target", "found"),
    [
        ("FROM python:3.12\nRUN pip install x", "", Traits(base="python:3.12", shell=True)),
        ("FROM scratch\nCOPY a /a", "", Traits(base="scratch")),
        ("FROM go AS b\nRUN go build\nFROM scratch\nCOPY --from=b /a /a", "", Traits(base="scratch")),
        ("FROM go AS b\nRUN go build\nFROM b", "", Traits(base="go", shell=True)),
        ("FROM go AS b\nRUN go build\nFROM scratch", "b", Traits(base="go", shell=True)),
        ('FROM x\nRUN ["/bin/a"]', "", Traits(base="x")),
        ("ARG V=1\nFROM python:$V", "", Traits(base="python:2")),
        ('FROM x\nHEALTHCHECK --interval=5s CMD ["ok"]', "", Traits(base="x", healthcheck=CHECK)),
        ('FROM x AS b\nHEALTHCHECK --interval=5s CMD ["ok"]\nFROM b', "", Traits(base="x", healthcheck=CHECK)),
        (
            'FROM x AS b\nHEALTHCHECK CMD a\nFROM b\nHEALTHCHECK --interval=5s CMD ["ok"]',
            "",
            Traits(base="x", healthcheck=CHECK),
        ),
        ("FROM x\nHEALTHCHECK NONE", "", Traits(base="x", healthcheck=Healthcheck(disable=True))),
        ("FROM x", "other", None),
    ],
)
def test_what_a_dockerfile_tells(text: str, target: str, found: Traits | None) -> None:
    assert traits(parse(text), target, {"V": "2"}) == found


def test_they_are_told_of_each_image_and_build_nothing(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM python:3.12\nHEALTHCHECK --interval=5s CMD ["ok"]\n')
    service = Service(name="web", build=Build(context=str(tmp_path)))
    (prepared,) = prepare(Project(name="shop", services={"web": service}))
    assert prepared.source.traits == Traits(base="python:3.12", healthcheck=CHECK)
    assert "traits" not in prepared.source.recipe


def test_a_dockerfile_that_is_wrong_is_the_build_s_to_tell(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("RUN x\n")
    service = Service(name="web", build=Build(context=str(tmp_path)))
    (prepared,) = prepare(Project(name="shop", services={"web": service}))
    assert prepared.source.traits is None
