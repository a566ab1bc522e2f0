"""The types of resources that a project is made of on AWS."""

from __future__ import annotations

from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.types.balancers import LoadBalancerType
from defang_nb.providers.aws.types.base import AwsType
from defang_nb.providers.aws.types.buckets import BucketPolicyType, BucketType
from defang_nb.providers.aws.types.caches import CacheSubnetGroupType, CacheType
from defang_nb.providers.aws.types.certificates import CertificateType, EdgeCertificateType
from defang_nb.providers.aws.types.databases import DatabaseType
from defang_nb.providers.aws.types.discovery import NamespaceType, NameType
from defang_nb.providers.aws.types.distributions import DistributionType
from defang_nb.providers.aws.types.documents import DocumentNodeType, DocumentsType
from defang_nb.providers.aws.types.edge import FunctionType, OriginAccessType
from defang_nb.providers.aws.types.files import AccessPointType, FileSystemType
from defang_nb.providers.aws.types.groups import SecurityGroupType
from defang_nb.providers.aws.types.inventory import Inventory, TaggedType
from defang_nb.providers.aws.types.jobs import JobType
from defang_nb.providers.aws.types.listeners import ListenerType, RuleType
from defang_nb.providers.aws.types.logs import LogGroupType
from defang_nb.providers.aws.types.rds import ParameterGroupType, SubnetGroupType
from defang_nb.providers.aws.types.repositories import RepositoryType
from defang_nb.providers.aws.types.roles import RoleType
from defang_nb.providers.aws.types.scaling import ScalingTargetType
from defang_nb.providers.aws.types.services import ServiceType
from defang_nb.providers.aws.types.sites import SiteType
from defang_nb.providers.aws.types.targets import TargetGroupType
from defang_nb.providers.aws.types.tasks import TaskDefinitionType
from defang_nb.providers.aws.types.texts import PasswordType, TextType
from defang_nb.providers.aws.types.zones import RecordType
from defang_nb.provision.ports import ResourceType

_TYPES: tuple[type[AwsType], ...] = (
    LoadBalancerType, ListenerType, RuleType, TargetGroupType, NamespaceType, NameType, LogGroupType, SecurityGroupType,
    RepositoryType, RoleType, TextType, TaskDefinitionType, ServiceType, JobType, ScalingTargetType,
    PasswordType, SubnetGroupType, ParameterGroupType, DatabaseType, CacheSubnetGroupType, CacheType, FileSystemType,
    AccessPointType, CertificateType, RecordType, DocumentsType, DocumentNodeType, BucketType, BucketPolicyType,
    OriginAccessType, FunctionType, EdgeCertificateType, DistributionType, SiteType,
)  # fmt: skip


def resource_types(account: Account, base: Base, stack: str) -> list[ResourceType]:
    """All of them but the image, which is the builder's."""
    made = [type_(account, base, stack) for type_ in _TYPES]
    tagged = [each for each in made if isinstance(each, TaggedType)]
    inventories = {each.region: Inventory(account.at(each.region) if each.region else account, stack) for each in tagged}
    for each in tagged:
        each.inventory = inventories[each.region]
    return list(made)
