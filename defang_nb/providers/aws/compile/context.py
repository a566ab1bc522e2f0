"""What all parts of a project's compilation share: what is given, and how things are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from defang_nb.model.image import ImageSource
from defang_nb.model.project import Project, Service
from defang_nb.model.resource import Need, Options, Resource, urn
from defang_nb.model.value import Json, config_keys
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.modes import Mode


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """One project on one stack."""

    project: Project
    images: Sequence[ImageSource]
    digests: Mapping[str, str]
    base: Base
    mode: Mode
    stack: str

    def urn(self, type_: str, name: str) -> str:
        return urn(self.project.name, type_, name)

    def resource(
        self,
        type_: str,
        name: str,
        inputs: Mapping[str, Json],
        *,
        title: str = "",
        service: str = "",
        needs: Mapping[str, Need] | None = None,
        protect: bool = False,
    ) -> Resource:
        """`needs`: urn → what is waited for, beside what the inputs refer to."""
        return Resource(
            urn=self.urn(type_, name),
            type=type_,
            inputs=dict(inputs),
            options=Options(protect=protect, depends_on=needs or {}),
            service=service,
            title=title or name,
        )

    def source(self, service: Service) -> ImageSource | None:
        """What the service's image is built from; None for one that is there already."""
        return next((each for each in self.images if service.name in each.services), None)

    def config_digests(self, keys: Sequence[str]) -> dict[str, Json]:
        """A keyed digest of each of these configuration values, so that another value is a change."""
        return {key: self.digests.get(key, "") for key in sorted(set(keys))}

    def digests_of(self, value: Json) -> dict[str, Json]:
        """Those of the configuration values that `value` refers to."""
        return self.config_digests(list(config_keys(value)))
