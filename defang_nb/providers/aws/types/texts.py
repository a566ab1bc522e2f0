"""`aws:ssm/Text`: an environment value of which configuration (a secret) is a part, as a parameter of its own.

ECS gives a container whole parameters only, and `postgres://app:${PASSWORD}@db` is in none. It is put together here and goes
nowhere but to the parameter store, encrypted; what is recorded of it is what it is made from.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from defang_nb.errors import ConfigMissingError
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json, config_keys
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.types.base import chunks, ignoring
from defang_nb.providers.aws.types.inventory import Known, TaggedType
from defang_nb.provision.ports import Made, Operation

_MANY = 10
"""So many parameters in one call."""
_GONE = ("ParameterNotFound",)


class TextType(TaggedType):
    """Inputs: `value`, `config_digests`. Outputs: `name`."""

    name = kinds.TEXT
    resource = "ssm:parameter"

    async def create(self, operation: Operation) -> Made:
        urn = operation.resource.urn
        text = await filled(self.account, self.stack, names.parts(urn)[0], operation.resource.inputs["value"])
        name = self._name(urn)
        said = {"Name": name, "Value": text, "Type": "SecureString"}
        if operation.previous is None and await ignoring(("ParameterAlreadyExists",), self.account.call(
            "ssm", "put_parameter", **said, Tags=self.pairs(urn)
        )) is not None:  # fmt: skip
            return Made(id=name, outputs={"name": name})
        await self.account.call("ssm", "put_parameter", **said, Overwrite=True)
        return Made(id=name, outputs={"name": name})

    async def update(self, operation: Operation) -> Made:
        return await self.create(operation)

    async def find(self, urn: str) -> Made | None:
        name = self._name(urn)
        return Made(id=name, outputs={"name": name}) if name in await self._there([name]) else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        there = await self._there([each.id for each in recorded])
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    async def delete(self, recorded: Recorded) -> None:
        await ignoring(_GONE, self.account.call("ssm", "delete_parameter", Name=recorded.id))

    def by_arn(self, arn: str) -> Known:
        name = "/" + arn.partition("/")[2]
        return Known(id=name, outputs={"name": name})

    def _name(self, urn: str) -> str:
        return names.text_parameter(self.stack, urn)

    async def _there(self, wanted: Sequence[str]) -> set[str]:
        """Which of them there are. Their values are not asked for."""
        found: set[str] = set()
        for some in chunks(list(wanted), 50):
            filters = [{"Key": "Name", "Option": "Equals", "Values": list(some)}]
            pages = await self.account.pages("ssm", "describe_parameters", ParameterFilters=filters)
            found |= {each["Name"] for page in pages for each in page["Parameters"]}
        return found


class PasswordType(TextType):
    """A password that nobody has given: made once, and kept. Outputs: `name`, of its parameter."""

    name = kinds.PASSWORD

    async def create(self, operation: Operation) -> Made:
        urn = operation.resource.urn
        name = self._name(urn)
        said = {"Name": name, "Value": secrets.token_urlsafe(24), "Type": "SecureString"}
        putting = self.account.call("ssm", "put_parameter", **said, Tags=self.pairs(urn))
        await ignoring(("ParameterAlreadyExists",), putting)
        return Made(id=name, outputs={"name": name})


async def filled(account: Account, stack: str, project: str, value: Json) -> str:
    """A text of the project with the configuration in it. Raises `ConfigMissingError`."""
    keys = sorted(set(config_keys(value)))
    paths = {names.config_parameter(stack, project, key): key for key in keys}
    values: dict[str, str] = {}
    for some in chunks(list(paths), _MANY):
        answer = await account.call("ssm", "get_parameters", Names=list(some), WithDecryption=True)
        values |= {paths[each["Name"]]: each["Value"] for each in answer["Parameters"]}
    if missing := sorted(set(keys) - set(values)):
        raise ConfigMissingError(f"missing configs {missing}", hint=f"config set {missing[0]}")
    parts = value["$join"] if isinstance(value, Mapping) and "$join" in value else [value]
    return "".join(values[part["$config"]] if isinstance(part, Mapping) else str(part) for part in parts)
