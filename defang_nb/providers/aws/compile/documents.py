"""A MongoDB of DocumentDB: what it is made from, and how services' addresses of it have to be written.

DocumentDB always asks for a user and a password, speaks TLS with a certificate of AWS's own authority, which images do not
know, and has no retryable writes (Amazon DocumentDB Developer Guide, "Functional differences"). An address as it is written for
a container of `mongo` would fail at each of these, so addresses are completed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from defang_nb.model.project import Service
from defang_nb.model.value import Json

PASSWORD, USER = "MONGO_INITDB_ROOT_PASSWORD", "MONGO_INITDB_ROOT_USERNAME"
"""Variables of the image `mongo`, which mean here what they mean there."""
OWNER = "owner"
"""The user, where none is said."""
RULE = "8 to 100 letters, digits and signs, and none of / ' \" @ and blank"
OPTIONS = "tls=true&tlsInsecure=true&retryWrites=false"
_VERSIONS = ("3.6.0", "4.0.0", "5.0.0")
_RESERVED = ("admin", "rdsadmin")


def version(service: Service) -> str:
    """`mongo:4.4` → 4.0.0; the newest, where none is said, or a newer one."""
    tag = service.image.partition("@")[0].rpartition(":")[2] if ":" in service.image else ""
    found = re.match(r"(\d+)", tag)
    asked = int(found[1]) if found else 99
    return next((each for each in reversed(_VERSIONS) if int(each[0]) <= asked), _VERSIONS[0])


def refused(key: str, value: str) -> str | None:
    """Why DocumentDB does not take a value of one of the variables; None, where it does.

    Source: Amazon DocumentDB API Reference, CreateDBCluster.
    """
    if key == PASSWORD:
        return None if fits(value) else RULE
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,62}", value):
        return "begins with a letter, and has letters and digits only, 63 at most"
    return f"{value} is DocumentDB's own" if value.lower() in _RESERVED else None


def fits(password: str) -> bool:
    """Whether DocumentDB takes it."""
    return re.fullmatch(r"[!-~]{8,100}", password) is not None and not set(password) & set("/'\"@")


def completed(value: Json, address: Json, credentials: Sequence[Json]) -> Json:
    """An environment value in which a `mongodb://` address of the store has what DocumentDB asks for.

    `address` is the store's own, as it stands in the value; `credentials` go before it where the address has none: (user, `:`,
    password), or nothing, where they are the service's own to know. Options that the address has are left as they are.
    """
    match value:
        case {"$join": list(parts)} if address in parts:
            at = parts.index(address)
            before, after = parts[:at], parts[at + 1 :]
            begun = next((n for n in reversed(range(at)) if isinstance(parts[n], str) and "://" in parts[n]), None)
            if begun is None:
                return value
            head, scheme, user = str(parts[begun]).rpartition("mongodb://")
            if not scheme or "://" in user:
                return value
            between = [user, *before[begun + 1 :]]
            known = any(isinstance(each, str) and "@" in each for each in between)
            said = between if known or not credentials else [*credentials, "@"]
            return {"$join": _merged([*before[:begun], head + scheme, *said, address, *_with_options(after)])}
    return value


def _with_options(rest: Sequence[Json]) -> list[Json]:
    """What follows the host, with the options that it lacks."""
    text = "".join(each for each in rest if isinstance(each, str))
    said = {each.partition("=")[0].lower() for each in text.partition("?")[2].split("&")}
    encrypted = bool(said & {"tls", "ssl"})
    missing = [
        each
        for each in OPTIONS.split("&")
        if (key := each.partition("=")[0].lower()) not in said and not (encrypted and key.startswith("tls"))
    ]
    if not missing:
        return list(rest)
    joint = "&" if "?" in text else "?" if "/" in text else "/?"
    return [*rest, joint + "&".join(missing)]


def _merged(parts: Sequence[Json]) -> list[Json]:
    """The parts of a joined text, in which no two literal ones follow each other."""
    made: list[Json] = []
    for each in parts:
        if isinstance(each, Mapping) and "$join" in each:
            made += each["$join"]
        elif isinstance(each, str) and made and isinstance(made[-1], str):
            made[-1] += each
        elif each != "":
            made.append(each)
    return made


def cluster(service: Service, shared: Mapping[str, Json]) -> dict[str, Json]:
    """`shared`: what all stores are made from. An instance is made from the rest of it."""
    return {key: value for key, value in shared.items() if key not in ("class", "multi_az")} | {"version": version(service)}
