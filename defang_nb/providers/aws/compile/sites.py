"""Static files: a bucket that only CloudFront reads, and a distribution in front of it, for each service that has some."""

from __future__ import annotations

from collections.abc import Iterator

from defang_nb.model.project import Project, Service, StaticFiles
from defang_nb.model.resource import Need, Options, Resource
from defang_nb.model.value import Json, join, ref
from defang_nb.providers.aws import kinds, sites
from defang_nb.providers.aws.compile.context import Context
from defang_nb.providers.aws.sites.objects import INDEX, RULES
from defang_nb.providers.aws.types.edge import TITLES

EDGE_ZONE = "Z2FDTNDATAQYW2"
"""The hosted zone of all distributions, by which a record is an alias of one (Route 53 API Reference, "AliasTarget")."""


def is_site(service: Service) -> bool:
    return service.static_files is not None


def all_of(project: Project) -> list[Service]:
    return [each for each in project.services.values() if is_site(each)]


def resources(context: Context) -> Iterator[Resource]:
    """What is slow comes first: a distribution waits for nothing but a name of a bucket."""
    found = all_of(context.project)
    if not found:
        return
    yield context.resource(kinds.ORIGIN, kinds.SITES, {}, title=TITLES[kinds.ORIGIN])
    moved: dict[str, Json] = {"code": sites.MOVED, "version": sites.version(sites.MOVED)}
    yield context.resource(kinds.EDGE_FUNCTION, kinds.SITES, moved, title=TITLES[kinds.EDGE_FUNCTION])
    for service in found:
        yield context.resource(kinds.BUCKET, service.name, {}, service=service.name, title=f"bucket of {service.name}")
        yield _distribution(context, service, _files(service))
        reader: dict[str, Json] = {
            "bucket": ref(context.urn(kinds.BUCKET, service.name), "name"),
            "reader": ref(context.urn(kinds.DISTRIBUTION, service.name), "arn"),
        }
        title = f"who may read the bucket of {service.name}"
        yield context.resource(kinds.BUCKET_POLICY, service.name, reader, service=service.name, title=title)
        if service.domainname:
            yield from _domain(context, service)


def main(context: Context, service: Service, needs: dict[str, Need]) -> Resource:
    """Its files."""
    files = _files(service)
    inputs: dict[str, Json] = {
        "bucket": ref(context.urn(kinds.BUCKET, service.name), "name"),
        "distribution": ref(context.urn(kinds.DISTRIBUTION, service.name), "id"),
        "key": files.key,
        "digest": files.digest,
        "moved": files.moved,
        "root": INDEX,
        "fallback": files.fallback,
        "rules": RULES,
        "endpoints": [{"url": url(context, service), "port": 443, "public": True}],
    }
    if source := context.source(service):
        made = {"image": ref(context.urn(kinds.IMAGE, source.name), "reference"), "folder": files.folder}
        inputs |= {"digest": source.reference, **made}
    needs[context.urn(kinds.BUCKET_POLICY, service.name)] = Need.CREATED
    return Resource(
        urn=context.urn(kinds.SITE, service.name),
        type=kinds.SITE,
        inputs=inputs,
        options=Options(depends_on=needs),
        service=service.name,
        main=True,
        title=service.name,
    )


def hosts(context: Context) -> dict[str, Json]:
    """Service → the name by which the others reach it."""
    found = all_of(context.project)
    return {each.name: each.domainname or ref(context.urn(kinds.DISTRIBUTION, each.name), "host") for each in found}


def url(context: Context, service: Service) -> Json:
    if service.domainname:
        return f"https://{service.domainname}"
    return join(["https://", ref(context.urn(kinds.DISTRIBUTION, service.name), "host")])


def _files(service: Service) -> StaticFiles:
    if service.static_files is None:
        raise AssertionError(f"{service.name} has no static files")
    return service.static_files


def _distribution(context: Context, service: Service, files: StaticFiles) -> Resource:
    host = service.domainname
    inputs: dict[str, Json] = {
        "origin": ref(context.urn(kinds.BUCKET, service.name), "host"),
        "access": ref(context.urn(kinds.ORIGIN, kinds.SITES), "id"),
        "function": ref(context.urn(kinds.EDGE_FUNCTION, kinds.SITES), "arn"),
        "root": INDEX,
        "fallback": files.fallback,
        "hosts": [host] if host else [],
        "certificate": ref(context.urn(kinds.EDGE_CERTIFICATE, host), "arn") if host else "",
        "price_class": context.mode.price_class,
        "enabled": True,
    }
    title = f"distribution of {service.name}"
    return context.resource(kinds.DISTRIBUTION, service.name, inputs, service=service.name, title=title)


def _domain(context: Context, service: Service) -> Iterator[Resource]:
    """Its certificate, where CloudFront looks for it, and the record by which it leads to the distribution."""
    host, urn = service.domainname, context.urn(kinds.DISTRIBUTION, service.name)
    yield context.resource(kinds.EDGE_CERTIFICATE, host, {"host": host}, title=f"certificate of {host}")
    alias: dict[str, Json] = {"host": host, "target": ref(urn, "host"), "target_zone": EDGE_ZONE}
    yield context.resource(kinds.RECORD, host, alias, title=f"name {host}")
