"""What moto's ElastiCache lacks: replication groups that go once they are deleted, and subnet groups that can be."""

from __future__ import annotations

from typing import Any


def mend() -> None:
    from moto.core.responses import EmptyResult
    from moto.elasticache.models import ElastiCacheBackend
    from moto.elasticache.responses import ElastiCacheResponse

    delete = ElastiCacheBackend.delete_replication_group

    def group(backend: Any, replication_group_id: str, retain_primary_cluster: bool | None) -> Any:
        """moto keeps it for ever, as one that is being deleted."""
        found = delete(backend, replication_group_id, retain_primary_cluster)
        backend.replication_groups.pop(replication_group_id, None)
        return found

    def subnets(response: Any) -> EmptyResult:
        response.elasticache_backend.cache_subnet_groups.pop(response._get_param("CacheSubnetGroupName"), None)
        return EmptyResult()

    ElastiCacheBackend.delete_replication_group = group
    ElastiCacheResponse.delete_cache_subnet_group = subnets
