"""What a call asks of IAM: its actions, the resources that it is about, and the conditions' keys that can be known.

It is read from the request alone, and from moto where that has the resource. Source: Service Authorization Reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from moto.cloudfront.models import cloudfront_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends

from tests.aws.calls import Call

_PREFIX = {
    "elbv2": "elasticloadbalancing",
    "efs": "elasticfilesystem",
    "resourcegroupstaggingapi": "tag",
    "bedrock-runtime": "bedrock",
}
_S3 = {
    "ListObjectsV2": "ListBucket",
    "ListObjects": "ListBucket",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjectVersions": "ListBucketVersions",
    "CopyObject": "PutObject",
    "UploadPart": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject",
    "ListBuckets": "ListAllMyBuckets",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "PutBucketEncryption": "PutEncryptionConfiguration",
}
_TAGGING = {
    "ec2": "CreateTags",
    "elbv2": "AddTags",
    "iam": "TagRole",
    "ssm": "AddTagsToResource",
    "rds": "AddTagsToResource",
    "elasticache": "AddTagsToResource",
    "acm": "AddTagsToCertificate",
}
"""What is asked besides where something is made with tags; `TagResource` in the other services."""
_TAG = re.compile(r"<Tag><Key>(.*?)</Key><Value>(.*?)</Value></Tag>")
_UNNARROWED = ("ec2:Describe", "elasticloadbalancing:Describe", "ecs:RegisterTaskDefinition", "ecs:ListClusters")
"""Actions that know no resource: only `*` allows them."""
_EC2 = {"sg": "security-group", "subnet": "subnet", "vpc": "vpc", "eni": "network-interface", "sgr": "security-group-rule"}
_NAMED = {
    ("ecr", "repositoryName"): "ecr:{r}:{a}:repository/{}",
    ("logs", "logGroupName"): "logs:{r}:{a}:log-group:{}",
    ("ssm", "Name"): "ssm:{r}:{a}:parameter/{}",
    ("ssm", "Names"): "ssm:{r}:{a}:parameter/{}",
    ("ssm", "Path"): "ssm:{r}:{a}:parameter/{}",
    ("ssm", "ResourceId"): "ssm:{r}:{a}:parameter/{}",
    ("secretsmanager", "Name"): "secretsmanager:{r}:{a}:secret:{}-000000",
    ("secretsmanager", "SecretId"): "secretsmanager:{r}:{a}:secret:{}-000000",
    ("cloudformation", "StackName"): "cloudformation:{r}:{a}:stack/{}/id",
    ("rds", "DBInstanceIdentifier"): "rds:{r}:{a}:db:{}",
    ("rds", "DBClusterIdentifier"): "rds:{r}:{a}:cluster:{}",
    ("rds", "DBSubnetGroupName"): "rds:{r}:{a}:subgrp:{}",
    ("rds", "DBParameterGroupName"): "rds:{r}:{a}:pg:{}",
    ("rds", "DBSnapshotIdentifier"): "rds:{r}:{a}:snapshot:{}",
    ("elasticache", "ReplicationGroupId"): "elasticache:{r}:{a}:replicationgroup:{}",
    ("elasticache", "CacheSubnetGroupName"): "elasticache:{r}:{a}:subnetgroup:{}",
    ("elasticache", "CacheParameterGroupName"): "elasticache:{r}:{a}:parametergroup:{}",
}


@dataclass(frozen=True)
class Asked:
    """`resources`: ARNs; empty where they can't be told. `known`: condition key → values (none: it is absent)."""

    action: str
    resources: frozenset[str]
    known: Mapping[str, list[str]] = field(default_factory=dict)


def asked(call: Call, environ: Mapping[str, Any], body: bytes, account: str) -> list[Asked]:
    """All that has to be allowed for the call."""
    given = parameters(call, environ, body)
    prefix = _PREFIX.get(call.service, call.service)
    action = f"{prefix}:{_S3.get(call.operation, call.operation) if call.service == 's3' else call.operation}"
    action = action.removesuffix("WithTags")
    about = frozenset({"*"}) if action.startswith(_UNNARROWED) else frozenset(_about(call, environ, given, account))
    tags = _tags(given)
    known = {f"aws:RequestTag/{key}": [value] for key, value in tags.items()} | {"aws:TagKeys": list(tags)}
    known |= _conditions(call, given, about, account)
    found = [Asked(action, about, known)]
    if call.operation == "DeleteObjects":
        found = _deletions(about, body)
    if tags and not action.endswith(("TagResource", "AddTags", "CreateTags", "AddTagsToResource", "TagRole")):
        said = known | {f"{prefix}:CreateAction": [call.operation]}
        found.append(Asked(f"{prefix}:{_TAGGING.get(call.service, 'TagResource')}", frozenset(), said))
    passed = {value for key, value in _leaves(given) if key in ("executionRoleArn", "taskRoleArn")}
    to = {"iam:PassedToService": ["ecs-tasks.amazonaws.com"]}
    return found + [Asked("iam:PassRole", frozenset({role}), to) for role in sorted(passed)]


def parameters(call: Call, environ: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    if call.protocol in ("json", "rest-json"):
        try:
            return dict(json.loads(body or b"{}"))
        except ValueError:
            return {}
    text = body.decode() if call.protocol in ("query", "ec2") else environ.get("QUERY_STRING", "")
    given: dict[str, Any] = dict(parse_qsl(text))
    if call.service == "cloudfront":
        said = body.decode(errors="replace")
        given |= {"Tags": dict(tags)} if (tags := _TAG.findall(said)) else {}
        given |= {"Name": names[0]} if (names := re.findall(r"<Name>(.*?)</Name>", said)) else {}
    return given


def _deletions(about: frozenset[str], body: bytes) -> list[Asked]:
    """Of several objects: each by itself, and its version, where one is named."""
    found = []
    for each in re.findall(r"<Object>(.*?)</Object>", body.decode()):
        key = re.findall(r"<Key>(.*?)</Key>", each)[0]
        action = "s3:DeleteObjectVersion" if "<VersionId>" in each else "s3:DeleteObject"
        found += [Asked(action, frozenset({f"{bucket}/{key}"})) for bucket in about]
    return found


def _about(call: Call, environ: Mapping[str, Any], given: dict[str, Any], account: str) -> Iterator[str]:
    place = {"r": call.region, "a": account}
    if call.service == "s3":
        path = unquote(environ.get("PATH_INFO", "")).strip("/")
        if path:
            yield f"arn:aws:s3:::{path}"
        return
    if call.service == "cloudfront":
        kind, name = ([*unquote(environ.get("PATH_INFO", "")).strip("/").split("/"), "", ""])[1:3]
        if kind in ("distribution", "function", "origin-access-control"):
            name = name or str(given.get("Name", "new"))
            yield f"arn:aws:cloudfront::{account}:{kind}/{name}"
        return
    prefix = _PREFIX.get(call.service, call.service)
    for key, value in _leaves(given):
        name = key.split(".")[0]
        if value.startswith(f"arn:aws:{prefix}:") and not (call.service == "iam" and name != "RoleArn"):
            yield value
        elif (call.service, name) in _NAMED and not value.startswith("arn:"):
            yield "arn:aws:" + _NAMED[call.service, name].format(value.lstrip("/") if call.service == "ssm" else value, **place)
        elif call.service == "ec2" and (kind := _EC2.get(value.partition("-")[0])) and re.fullmatch(r"[a-z]+-[0-9a-f]+", value):
            yield f"arn:aws:ec2:{call.region}:{account}:{kind}/{value}"
    if call.service == "iam" and "RoleName" in given:
        role = _role(account, given["RoleName"])
        yield role.arn if role else f"arn:aws:iam::{account}:role{given.get('Path', '/')}{given['RoleName']}"
    if call.operation in ("CreateLoadBalancer", "CreateTargetGroup") and call.service == "elbv2":
        kind = "loadbalancer/app" if call.operation == "CreateLoadBalancer" else "targetgroup"
        yield f"arn:aws:elasticloadbalancing:{call.region}:{account}:{kind}/{given['Name']}/0000000000000000"
    if call.service == "ecs" and "cluster" in given:
        cluster = str(given["cluster"]).split("/")[-1]
        for key, kind in (("service", "service"), ("serviceName", "service"), ("task", "task")):
            if given.get(key):
                yield f"arn:aws:ecs:{call.region}:{account}:{kind}/{cluster}/{str(given[key]).split('/')[-1]}"


def _conditions(call: Call, given: dict[str, Any], about: frozenset[str], account: str) -> dict[str, list[str]]:
    known: dict[str, list[str]] = {}
    if call.service == "ecs" and given.get("cluster"):
        cluster = str(given["cluster"])
        arn = cluster if cluster.startswith("arn:") else f"arn:aws:ecs:{call.region}:{account}:cluster/{cluster}"
        known["ecs:cluster"] = [arn]
    if call.service == "iam" and "RoleName" in given:
        role = _role(account, given["RoleName"])
        boundary = given.get("PermissionsBoundary") or (role.permissions_boundary_arn if role else None)
        known["iam:PermissionsBoundary"] = [boundary] if boundary else []
    if call.service in ("ec2", "elbv2", "cloudfront") and (tags := _tags_of(call, about, account)) is not None:
        known |= {f"aws:ResourceTag/{key}": [value] for key, value in tags.items()}
        known["aws:ResourceTag"] = list(tags)
    return known


def _tags_of(call: Call, about: frozenset[str], account: str) -> dict[str, str] | None:
    """Of the first resource that is there; None where none is."""
    for arn in sorted(about, key=lambda each: ":security-group/" not in each):
        if call.service == "cloudfront":
            tagger = cloudfront_backends[account]["aws"].tagger
            return dict(tagger.get_tag_dict_for_resource(arn)) if ":distribution/" in arn else None
        if call.service == "ec2":
            found = ec2_backends[account][call.region].tags.get(arn.rpartition("/")[2])
            if found is not None or ":security-group/" in arn:
                return dict(found or {})
        else:
            service = elbv2_backends[account][call.region].tagging_service
            if service.has_tags(arn):
                return dict(service.get_tag_dict_for_resource(arn))
    return None


def _tags(given: dict[str, Any]) -> dict[str, str]:
    """Of a request that makes or tags something."""
    listed = given.get("tags") or given.get("Tags") or []
    if isinstance(listed, dict):
        return dict(listed)
    found = {
        str(each.get("key") or each.get("Key")): str(each.get("value") or each.get("Value"))
        for each in listed
        if isinstance(each, dict)
    }
    for key, value in given.items():
        if re.search(r"(?i)tags?(\.member|\.Tag)?\.\d+\.Key$", key):
            found[str(value)] = str(given.get(f"{key[:-3]}Value", ""))
    return found


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, key)
    elif isinstance(value, str):
        yield key, value


def _role(account: str, name: str) -> Any:
    return next((each for each in iam_backends[account]["aws"].roles.values() if each.name == name), None)
