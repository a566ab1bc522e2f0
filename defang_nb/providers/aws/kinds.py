"""The types of resources, and what the resources are named that a whole project shares."""

from __future__ import annotations

TASK, SERVICE, JOB = "aws:ecs/TaskDefinition", "aws:ecs/Service", "aws:ecs/Job"
LOGS, ROLE, GROUP = "aws:logs/LogGroup", "aws:iam/Role", "aws:ec2/SecurityGroup"
BALANCER, LISTENER, RULE = "aws:elb/LoadBalancer", "aws:elb/Listener", "aws:elb/Rule"
TARGETS, SCALING = "aws:elb/TargetGroup", "aws:autoscaling/Target"
NAMESPACE, NAME = "aws:discovery/Namespace", "aws:discovery/Name"
REPOSITORY, IMAGE = "aws:ecr/Repository", "aws:image/Image"
TEXT, PASSWORD = "aws:ssm/Text", "aws:ssm/Password"
DATABASE, SUBNETS, PARAMETERS = "aws:rds/Instance", "aws:rds/SubnetGroup", "aws:rds/ParameterGroup"
CACHE, CACHE_SUBNETS = "aws:elasticache/ReplicationGroup", "aws:elasticache/SubnetGroup"
DOCUMENTS, DOCUMENT_NODE = "aws:docdb/Cluster", "aws:docdb/Instance"
CERTIFICATE, RECORD = "aws:acm/Certificate", "aws:route53/Record"
FILES, ACCESS = "aws:efs/FileSystem", "aws:efs/AccessPoint"
BUCKET, BUCKET_POLICY, SITE = "aws:s3/Bucket", "aws:s3/BucketPolicy", "aws:s3/Site"
DISTRIBUTION, ORIGIN, EDGE_FUNCTION = "aws:cloudfront/Distribution", "aws:cloudfront/OriginAccess", "aws:cloudfront/Function"
EDGE_CERTIFICATE = "aws:acm/EdgeCertificate"

LOG_GROUP, TASK_GROUP, FRONT_GROUP, FRONT, STORES, SITES = "services", "services", "front", "front", "stores", "sites"
"""The names, in their types, of what a whole project shares."""
