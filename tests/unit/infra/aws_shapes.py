"""What AWS answers: ids, ARNs and other computed values in AWS's own shapes, the same each time for the same name.

ARN formats: https://docs.aws.amazon.com/service-authorization/latest/reference/ (a page a service).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-west-1"


@dataclass(frozen=True)
class World:
    """The account that a program runs in."""

    account: str = ACCOUNT
    region: str = REGION
    zones: tuple[str, ...] = ("a", "b", "c")
    """Last letters of the names of the region's zones."""

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def global_arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}::{self.account}:{resource}"


@dataclass(frozen=True)
class Shape:
    """How a resource came out."""

    id: str
    outputs: Mapping[str, Any] = field(default_factory=dict)
    is_known: bool = True
    """False for a type of AWS that has an ARN which nobody wrote down here."""


Inputs = Mapping[str, Any]
_Maker = Callable[[World, str, Inputs], Mapping[str, Any]]


def digits(name: str, count: int = 17) -> str:
    """Hexadecimal digits as in AWS's ids, from a name."""
    return hashlib.sha256(name.encode()).hexdigest()[:count]


def outputs_of(token: str, name: str, inputs: Inputs, world: World) -> Shape:
    """What a resource has besides its inputs. ``outputs`` may hold an ``id``; else the shape's own is its id."""
    if token.startswith("pulumi:providers:"):
        return Shape(f"provider-{digits(name)}")
    if token in _EC2:
        return _of_ec2(*_EC2[token], world, name)
    if token in _MAKERS:
        made = dict(_MAKERS[token](world, name, inputs))
        return Shape(str(made.pop("id")), made)
    return Shape(f"{name}-{digits(name, 7)}", {}, is_known=token in _WITHOUT_ARN or not token.startswith("aws:"))


def _of_ec2(prefix: str, kind: str, world: World, name: str) -> Shape:
    id_ = f"{prefix}-{digits(name)}"
    return Shape(id_, {"arn": world.arn("ec2", f"{kind}/{id_}"), "ownerId": world.account, **_more_of(prefix, name)})


def _more_of(prefix: str, name: str) -> dict[str, Any]:
    match prefix:
        case "vpc":
            numbers = digits(f"{name} default")
            return {
                "defaultSecurityGroupId": f"sg-{numbers}",
                "defaultRouteTableId": f"rtb-{numbers}",
                "mainRouteTableId": f"rtb-{numbers}",
                "defaultNetworkAclId": f"acl-{numbers}",
            }
        case "eipalloc":
            return {"allocationId": f"eipalloc-{digits(name)}", "publicIp": "203.0.113.7"}
        case "nat":
            return {"publicIp": "203.0.113.7", "networkInterfaceId": f"eni-{digits(name)}"}
        case "vpce":
            return {"prefixListId": f"pl-{digits(name, 8)}", "dnsEntries": [], "networkInterfaceIds": []}
        case "sgr":
            return {"securityGroupRuleId": f"sgr-{digits(name)}"}
    return {}


# The prefix of the id, and the kind of resource in the ARN.
_EC2: Final[Mapping[str, tuple[str, str]]] = {
    "aws:ec2/vpc:Vpc": ("vpc", "vpc"),
    "aws:ec2/subnet:Subnet": ("subnet", "subnet"),
    "aws:ec2/internetGateway:InternetGateway": ("igw", "internet-gateway"),
    "aws:ec2/routeTable:RouteTable": ("rtb", "route-table"),
    "aws:ec2/eip:Eip": ("eipalloc", "elastic-ip"),
    "aws:ec2/natGateway:NatGateway": ("nat", "natgateway"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": ("vpce", "vpc-endpoint"),
    "aws:ec2/securityGroup:SecurityGroup": ("sg", "security-group"),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": ("sg", "security-group"),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": ("sgr", "security-group-rule"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": ("sgr", "security-group-rule"),
}

_WITHOUT_ARN: Final = frozenset(
    {
        "aws:ec2/route:Route",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation",
        "aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation",
        "aws:ecr/lifecyclePolicy:LifecyclePolicy",
        "aws:ecr/repositoryPolicy:RepositoryPolicy",
        "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketVersioning:BucketVersioning",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "aws:s3/bucketLogging:BucketLogging",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:secretsmanager/secretPolicy:SecretPolicy",
        "aws:sns/topicPolicy:TopicPolicy",
        "aws:cloudwatch/eventTarget:EventTarget",
        "aws:cloudwatch/logMetricFilter:LogMetricFilter",
        "aws:cloudwatch/logResourcePolicy:LogResourcePolicy",
        "aws:kms/keyPolicy:KeyPolicy",
    }
)


def physical(name: str, inputs: Inputs, key: str = "name") -> str:
    """The name in AWS: the one given, else the one that Pulumi makes up."""
    given = inputs.get(key)
    return given if isinstance(given, str) else f"{name}-{digits(name, 7)}"


def _bucket(world: World, name: str, inputs: Inputs) -> Mapping[str, Any]:
    bucket = physical(name, inputs, "bucket")
    regional = f"{bucket}.s3.{world.region}.amazonaws.com"
    return {
        "id": bucket,
        "bucket": bucket,
        "arn": f"arn:aws:s3:::{bucket}",
        "bucketDomainName": f"{bucket}.s3.amazonaws.com",
        "bucketRegionalDomainName": regional,
    }


def _repository(world: World, name: str, inputs: Inputs) -> Mapping[str, Any]:
    repository = physical(name, inputs)
    return {
        "id": repository,
        "name": repository,
        "arn": world.arn("ecr", f"repository/{repository}"),
        "registryId": world.account,
        "repositoryUrl": f"{world.account}.dkr.ecr.{world.region}.amazonaws.com/{repository}",
    }


def _key(world: World, name: str, inputs: Inputs) -> Mapping[str, Any]:
    raw = digits(name, 32)
    key = "-".join((raw[:8], raw[8:12], raw[12:16], raw[16:20], raw[20:]))
    return {"id": key, "keyId": key, "arn": world.arn("kms", f"key/{key}")}


def _secret(world: World, name: str, inputs: Inputs) -> Mapping[str, Any]:
    secret = physical(name, inputs)
    # six characters of AWS's own end each ARN of a secret
    arn = world.arn("secretsmanager", f"secret:{secret}-{digits(name, 6)}")
    return {"id": arn, "name": secret, "arn": arn}


def _secret_version(world: World, name: str, inputs: Inputs) -> Mapping[str, Any]:
    version, arn = digits(name, 32), inputs.get("secretId")
    return {"id": f"{arn}|{version}", "arn": arn, "versionId": version, "versionStages": ["AWSCURRENT"]}


def _role(world: World, name: str, inputs: Inputs) -> Mapping[str, Any]:
    role, path = physical(name, inputs), inputs.get("path") or "/"
    arn = world.global_arn("iam", f"role{path}{role}")
    return {"id": role, "name": role, "arn": arn, "uniqueId": f"AROA{digits(name, 17).upper()}"}


def _policy(world: World, name: str, inputs: Inputs) -> Mapping[str, Any]:
    policy = physical(name, inputs)
    arn = world.global_arn("iam", f"policy{inputs.get('path') or '/'}{policy}")
    return {"id": arn, "name": policy, "arn": arn}


def _identity_provider(world: World, name: str, inputs: Inputs) -> Mapping[str, Any]:
    host = str(inputs.get("url", "")).removeprefix("https://")
    arn = world.global_arn("iam", f"oidc-provider/{host}")
    return {"id": arn, "arn": arn, "thumbprintLists": inputs.get("thumbprintLists", [])}


def _task_definition(world: World, name: str, inputs: Inputs) -> Mapping[str, Any]:
    family = inputs["family"]
    family_arn = world.arn("ecs", f"task-definition/{family}")
    return {"id": family, "arn": f"{family_arn}:1", "arnWithoutRevision": family_arn, "revision": 1}


def _service(world: World, name: str, inputs: Inputs) -> Mapping[str, Any]:
    service, cluster = physical(name, inputs), str(inputs.get("cluster", "default")).split("/")[-1]
    arn = world.arn("ecs", f"service/{cluster}/{service}")
    return {"id": arn, "name": service, "arn": arn}


def _namespace(world: World, name: str, inputs: Inputs) -> Mapping[str, Any]:
    id_ = f"ns-{digits(name, 16)}"
    hosted_zone = f"Z{digits(name, 20).upper()}"
    return {"id": id_, "arn": world.arn("servicediscovery", f"namespace/{id_}"), "hostedZone": hosted_zone}


def _by_name(service: str, before: str, *, id_is_arn: bool = False, key: str = "name") -> _Maker:
    """A resource whose ARN ends with its name."""

    def made(world: World, name: str, inputs: Inputs) -> Mapping[str, Any]:
        called = physical(name, inputs, key)
        arn = world.arn(service, f"{before}{called}")
        return {"id": arn if id_is_arn else called, key: called, "arn": arn}

    return made


_MAKERS: Final[Mapping[str, _Maker]] = {
    "aws:s3/bucket:Bucket": _bucket,
    "aws:ecr/repository:Repository": _repository,
    "aws:kms/key:Key": _key,
    "aws:kms/alias:Alias": _by_name("kms", ""),
    "aws:secretsmanager/secret:Secret": _secret,
    "aws:secretsmanager/secretVersion:SecretVersion": _secret_version,
    "aws:iam/role:Role": _role,
    "aws:iam/policy:Policy": _policy,
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": _identity_provider,
    "aws:ecs/cluster:Cluster": _by_name("ecs", "cluster/", id_is_arn=True),
    "aws:ecs/taskDefinition:TaskDefinition": _task_definition,
    "aws:ecs/service:Service": _service,
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": _namespace,
    "aws:cloudwatch/logGroup:LogGroup": _by_name("logs", "log-group:"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": _by_name("cloudwatch", "alarm:"),
    "aws:cloudwatch/eventRule:EventRule": _by_name("events", "rule/"),
    "aws:sns/topic:Topic": _by_name("sns", "", id_is_arn=True),
    "aws:sns/topicSubscription:TopicSubscription": lambda world, name, inputs: {
        "id": f"{inputs.get('topic')}:{digits(name, 12)}",
        "arn": f"{inputs.get('topic')}:{digits(name, 12)}",
    },
}


def answered(token: str, arguments: Mapping[str, Any], world: World) -> Mapping[str, Any] | None:
    """What the data sources about the account itself say; None for all others."""
    match token:
        case "aws:index/getCallerIdentity:getCallerIdentity":
            arn = world.global_arn("iam", "user/tests")
            return {"id": world.account, "accountId": world.account, "arn": arn, "userId": "AIDA"}
        case "aws:index/getRegion:getRegion":
            return {"id": world.region, "name": world.region, "region": world.region, "description": "", "endpoint": ""}
        case "aws:index/getPartition:getPartition":
            return {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}
        case "aws:index/getAvailabilityZones:getAvailabilityZones":
            names = [f"{world.region}{letter}" for letter in world.zones]
            return {
                "id": world.region,
                "names": names,
                "zoneIds": [f"{world.region}-{at}" for at in names],
                "region": world.region,
            }
    return None
