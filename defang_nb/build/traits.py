"""What a Dockerfile tells of the image that it makes, beside how that is built."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from defang_nb.build.dockerfile import Dockerfile, Stage
from defang_nb.build.health import healthcheck_of
from defang_nb.model.image import Traits


def traits(dockerfile: Dockerfile, target: str, args: Mapping[str, str]) -> Traits | None:
    """Of the stage `target` ("": the last one); None where there is no such stage."""
    stage = dockerfile.stage(target) if target else dockerfile.stages[-1]
    found = Traits()
    seen: set[int] = set()
    while stage is not None and stage.index not in seen:
        seen.add(stage.index)
        base = dockerfile.base(stage, args)
        found = _of(stage, msgspec.structs.replace(found, base=base))
        earlier = dockerfile.stage(base)
        stage = earlier if earlier is not None and earlier.index < stage.index else None
    return found if seen else None


def _of(stage: Stage, found: Traits) -> Traits:
    """With what one stage says; the later one's word holds."""
    checks = [each for each in stage.instructions if each.keyword == "HEALTHCHECK"]
    if checks and found.healthcheck is None:
        found = msgspec.structs.replace(found, healthcheck=healthcheck_of(checks[-1]))
    shell = any(each.keyword == "RUN" and not each.exec_form for each in stage.instructions)
    return msgspec.structs.replace(found, shell=found.shell or shell)
