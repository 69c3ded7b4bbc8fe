"""The types and functions that are served, each with its Terraform type: by hand, and no others.

What pulumi-aws adds to a type is taken from its provider/resource_overrides.go and provider/autonaming.go (version 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True)
class Naming:
    """Which property gets a name when the program gives none: the resource's own and seven random digits."""

    property: str = "name"
    limit: int = 255
    lower: bool = False
    prefix: str = ""


@dataclass(frozen=True)
class Listed:
    """One type.

    Args:
        terraform: its type there.
        renames: Terraform's names to Pulumi's, where the rule of plurals does not find them.
        delete_first: whether the old one goes before the new one is made.
        defaults: what the plugin fills in when the program does not say.
        copies: the SDK's outputs that an older provider does not have by that name, each with its equal.
    """

    terraform: str
    naming: Naming | None = None
    renames: Mapping[str, str] = field(default_factory=dict)
    delete_first: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)


_NAMED: Final = Naming()

RESOURCES: Final[dict[str, Listed]] = {
    "aws:cloudwatch/eventRule:EventRule": Listed("aws_cloudwatch_event_rule", Naming(limit=64)),
    "aws:cloudwatch/eventTarget:EventTarget": Listed("aws_cloudwatch_event_target", Naming("targetId")),
    "aws:cloudwatch/logGroup:LogGroup": Listed("aws_cloudwatch_log_group", _NAMED),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Listed(
        "aws_cloudwatch_metric_alarm", _NAMED, renames={"alarm_name": "name"}
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Listed(
        "aws_default_security_group", renames={"ingress": "ingress", "egress": "egress"}
    ),
    "aws:ec2/eip:Eip": Listed("aws_eip"),
    "aws:ec2/internetGateway:InternetGateway": Listed("aws_internet_gateway"),
    "aws:ec2/natGateway:NatGateway": Listed("aws_nat_gateway"),
    "aws:ec2/route:Route": Listed("aws_route"),
    "aws:ec2/routeTable:RouteTable": Listed("aws_route_table"),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Listed("aws_route_table_association"),
    "aws:ec2/securityGroup:SecurityGroup": Listed(
        "aws_security_group",
        _NAMED,
        renames={"ingress": "ingress", "egress": "egress"},
        defaults={"description": "Managed by Pulumi"},
    ),
    "aws:ec2/subnet:Subnet": Listed("aws_subnet"),
    "aws:ec2/vpc:Vpc": Listed("aws_vpc"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Listed("aws_vpc_endpoint"),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": Listed("aws_ecr_lifecycle_policy", delete_first=True),
    "aws:ecr/repository:Repository": Listed("aws_ecr_repository", _NAMED),
    "aws:ecr/repositoryPolicy:RepositoryPolicy": Listed("aws_ecr_repository_policy"),
    "aws:ecs/cluster:Cluster": Listed("aws_ecs_cluster", _NAMED),
    "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": Listed("aws_ecs_cluster_capacity_providers"),
    "aws:ecs/service:Service": Listed("aws_ecs_service", _NAMED, copies={"arn": "id"}),
    "aws:ecs/taskDefinition:TaskDefinition": Listed("aws_ecs_task_definition"),
    "aws:efs/accessPoint:AccessPoint": Listed("aws_efs_access_point"),
    "aws:efs/fileSystem:FileSystem": Listed("aws_efs_file_system", Naming("creationToken")),
    "aws:efs/mountTarget:MountTarget": Listed("aws_efs_mount_target", delete_first=True),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": Listed("aws_iam_openid_connect_provider"),
    "aws:iam/policy:Policy": Listed("aws_iam_policy", _NAMED),
    "aws:iam/role:Role": Listed("aws_iam_role", Naming(limit=64)),
    "aws:iam/rolePolicy:RolePolicy": Listed("aws_iam_role_policy", _NAMED),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Listed("aws_iam_role_policy_attachment", delete_first=True),
    "aws:kms/alias:Alias": Listed("aws_kms_alias", Naming(limit=238, prefix="alias/")),
    "aws:kms/key:Key": Listed("aws_kms_key"),
    "aws:s3/bucket:Bucket": Listed(
        "aws_s3_bucket", Naming("bucket", 63, lower=True), renames={"region": "bucketRegion"}
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": Listed("aws_s3_bucket_lifecycle_configuration"),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": Listed("aws_s3_bucket_ownership_controls"),
    "aws:s3/bucketPolicy:BucketPolicy": Listed("aws_s3_bucket_policy"),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Listed("aws_s3_bucket_public_access_block"),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Listed(
        "aws_s3_bucket_server_side_encryption_configuration"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": Listed("aws_s3_bucket_versioning"),
    "aws:secretsmanager/secret:Secret": Listed("aws_secretsmanager_secret", _NAMED),
    "aws:secretsmanager/secretPolicy:SecretPolicy": Listed("aws_secretsmanager_secret_policy"),
    "aws:secretsmanager/secretVersion:SecretVersion": Listed(
        "aws_secretsmanager_secret_version", copies={"secretArn": "arn"}
    ),
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": Listed(
        "aws_service_discovery_private_dns_namespace", _NAMED
    ),
    "aws:servicediscovery/service:Service": Listed("aws_service_discovery_service", _NAMED),
    "aws:sns/topic:Topic": Listed("aws_sns_topic", Naming(limit=80)),
    "aws:sns/topicPolicy:TopicPolicy": Listed("aws_sns_topic_policy"),
    "aws:sns/topicSubscription:TopicSubscription": Listed("aws_sns_topic_subscription", renames={"topic_arn": "topic"}),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Listed("aws_vpc_security_group_egress_rule"),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Listed("aws_vpc_security_group_ingress_rule"),
}

FUNCTIONS: Final[dict[str, Listed]] = {
    "aws:ec2/getRouteTable:getRouteTable": Listed("aws_route_table"),
    "aws:ec2/getRouteTables:getRouteTables": Listed("aws_route_tables"),
    "aws:ec2/getSecurityGroup:getSecurityGroup": Listed("aws_security_group"),
    "aws:ec2/getSubnet:getSubnet": Listed("aws_subnet"),
    "aws:ec2/getSubnets:getSubnets": Listed("aws_subnets"),
    "aws:ec2/getVpc:getVpc": Listed("aws_vpc"),
    "aws:ec2/getVpcEndpointService:getVpcEndpointService": Listed("aws_vpc_endpoint_service"),
    "aws:ecr/getRepository:getRepository": Listed("aws_ecr_repository"),
    "aws:ecs/getCluster:getCluster": Listed("aws_ecs_cluster"),
    "aws:iam/getPolicyDocument:getPolicyDocument": Listed("aws_iam_policy_document"),
    "aws:iam/getRole:getRole": Listed("aws_iam_role"),
    "aws:index/getAvailabilityZones:getAvailabilityZones": Listed("aws_availability_zones"),
    "aws:index/getCallerIdentity:getCallerIdentity": Listed("aws_caller_identity"),
    "aws:index/getPartition:getPartition": Listed("aws_partition"),
    "aws:index/getRegion:getRegion": Listed("aws_region", renames={"name": "region"}, copies={"name": "region"}),
    "aws:s3/getBucket:getBucket": Listed("aws_s3_bucket", renames={"region": "bucketRegion"}),
    "aws:secretsmanager/getSecret:getSecret": Listed("aws_secretsmanager_secret"),
}
