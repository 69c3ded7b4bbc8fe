"""What Pulumi's providers would answer a program that nobody is behind: made up, and always the same for the same
question. Pure, and without any import of ours: ``mocked_program`` loads it by path.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

_OURS: Final = "dagsterhybrid:index:"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Answers:
    """What is made up. ``marks``: by name of a resource, what tells its content apart where inputs do not."""

    def __init__(self, account: str, region: str, marks: Mapping[str, str]) -> None:
        self._place = {"account": account, "region": region}
        self._marks = marks
        self._vpc = "vpc-0"

    def resource(self, token: str, name: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The id and what the resource has beside its inputs. ``inputs`` are plain, with texts that are the same in
        every checkout."""
        content = digest(json.dumps([token, name, inputs, self._marks.get(name, "")], sort_keys=True))
        if token.startswith("docker:"):
            # an image by its tag, or a container, is another one whenever something of it is
            return content, {"imageId": f"sha256:{content}"}
        if token.startswith(_OURS):
            return f"{name}-{content[:8]}", self._of_ours(token.removeprefix(_OURS), inputs, content)
        if token.startswith("azure-native:"):
            return self._of_azure(token, name, inputs, content)
        said = {
            **self._place,
            "name": next((str(inputs[key]) for key in _NAMES if isinstance(inputs.get(key), str)), name),
            "digits": digest(f"{token} {name}")[:17],
            "revision": str(int(content[:6], 16)),
            "cluster": str(inputs.get("cluster", "default")).rpartition("/")[2],
            "path": str(inputs.get("path") or "/"),
            "topic": str(inputs.get("topic", "")),
            "secretId": str(inputs.get("secretId", "")),
        }
        made = {key: text.format_map(said) for key, text in _AWS.get(token, _OTHER).items()}
        return made.pop("id"), made

    def _of_azure(self, token: str, name: str, inputs: Mapping[str, Any], content: str) -> tuple[str, dict[str, Any]]:
        """Ids in the form that Azure has, under the last of the names that are given."""
        kind = token.rpartition(":")[2]
        own = kind[0].lower() + kind[1:]
        names = [str(value) for key, value in inputs.items() if key.endswith("Name") and isinstance(value, str)]
        given = next((str(inputs[key]) for key in _AZURE_NAMES if isinstance(inputs.get(key), str)), name)
        return f"/azure/{'/'.join(sorted(set(names)))}/{own}/{given}", {
            "name": given,
            "principalId": digest(f"principal {given}")[:32],
            "clientId": digest(f"client {given}")[:32],
            "customerId": digest(f"customer {given}")[:32],
            "latestRevisionName": f"{given}--{content[:7]}",
            "properties": {"secretUriWithVersion": f"{given}/{content[:8]}"},
        }

    def as_given_back(self, token: str, state: dict[str, Any]) -> dict[str, Any]:
        """``state`` in the shape of outputs: Azure takes identities as a list and gives them back by id."""
        identity = state.get("identity")
        given = identity.get("userAssignedIdentities") if isinstance(identity, Mapping) else None
        if not token.startswith("azure-native:") or not isinstance(given, list):
            return state
        known: dict[str, Any] = {str(each): {} for each in given}
        return {**state, "identity": {**(identity or {}), "userAssignedIdentities": known}}

    def _of_ours(self, kind: str, inputs: Mapping[str, Any], content: str) -> dict[str, Any]:
        match kind:
            case "LocationImage":
                reference = f"{inputs.get('repository')}@sha256:{content}"
                return {"reference": reference, "digest": f"sha256:{content}", "tag": content[:32]}
            case "PublishedImage":
                return {"reference": inputs.get("image"), "digest": f"sha256:{content}"}
            case "VirtualEnvironment":
                folder = f"{inputs.get('parent')}/{content[:16]}"
                return {"path": folder, "executable": f"{folder}/bin/python"}
            case "AgentToken":
                return {"token": content, "tokenId": content[:8]}
        return dict.fromkeys(("instance", "revision", "updatedAt"), content[:16])

    def question(self, token: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What a data source says. Facts of a network that is not looked at are judged by nobody (``_LEFT_OUT``)."""
        kind, place = token.rpartition(":")[2], self._place
        number = digest(json.dumps([token, asked], sort_keys=True, default=str))[:17]
        match kind:
            case "getSharedKeys":
                return {"primarySharedKey": number, "secondarySharedKey": number}
            case "getClientConfig":
                return {"tenantId": number, "clientId": number, "objectId": number, "subscriptionId": number}
            case "getAvailabilityZones":
                names = [f"{place['region']}{letter}" for letter in "abc"]
                return {"id": place["region"], "names": names, "zoneIds": names, "region": place["region"]}
            case "getVpc":
                self._vpc = str(asked.get("id") or f"vpc-{number}")
                dns = {"enableDnsSupport": True, "enableDnsHostnames": True}
                return {"id": self._vpc, "cidrBlock": "10.0.0.0/16", "mainRouteTableId": f"rtb-{number}", **dns}
            case "getSubnets":
                return {"id": number, "ids": [f"subnet-{number}"]}
            case "getSubnet":
                zone = f"{place['region']}a"
                addresses = {"availabilityZone": zone, "availableIpAddressCount": 250}
                return {"id": str(asked.get("id")), "vpcId": self._vpc, **addresses}
            case "getRouteTables":
                return {"id": number, "ids": []}
            case "getRouteTable":
                return {"id": number, "routes": []}
            case "getSecurityGroup":
                return {"id": str(asked.get("id")), "vpcId": self._vpc}
            case "getCluster":
                name = str(asked.get("clusterName"))
                arn = f"arn:aws:ecs:{place['region']}:{place['account']}:cluster/{name}"
                return {"id": arn, "arn": arn, "clusterName": name}
            case "getCallerIdentity":
                return {"id": place["account"], "accountId": place["account"], "arn": "", "userId": ""}
            case "getRegion":
                return {"id": place["region"], "name": place["region"], "region": place["region"]}
            case "getPartition":
                return {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com"}
        return {}


_NAMES: Final = ("name", "bucket", "family", "clusterName")


def _shaped(arn: str, **more: str) -> dict[str, str]:
    return {"id": "{name}", "arn": arn, **more}


def _ec2(prefix: str, kind: str, **more: str) -> dict[str, str]:
    arn = f"arn:aws:ec2:{{region}}:{{account}}:{kind}/{prefix}-{{digits}}"
    return {"id": f"{prefix}-{{digits}}", "arn": arn, **more}


# The name of a thing of Azure among those of what it is in, the innermost first.
_AZURE_NAMES: Final = (
    *("secretName", "containerName", "subnetName", "containerAppName", "environmentName", "workspaceName"),
    *("registryName", "vaultName", "accountName", "natGatewayName", "publicIpAddressName", "virtualNetworkName"),
    *("roleDefinitionId", "roleAssignmentName", "resourceName", "resourceGroupName"),
)

_OTHER: Final = {"id": "{name}-{digits}"}
# Shapes of ids and ARNs: https://docs.aws.amazon.com/service-authorization/latest/reference/ (a page a service). What
# AWS itself makes up within one is made up here too, or stands as the wildcards that policies have for it.
_AWS: Final[Mapping[str, Mapping[str, str]]] = {
    "aws:cloudwatch/eventRule:EventRule": _shaped("arn:aws:events:{region}:{account}:rule/{name}"),
    "aws:cloudwatch/logGroup:LogGroup": _shaped("arn:aws:logs:{region}:{account}:log-group:{name}", name="{name}"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": _shaped("arn:aws:cloudwatch:{region}:{account}:alarm:{name}"),
    "aws:ec2/eip:Eip": _ec2("eipalloc", "elastic-ip", allocationId="eipalloc-{digits}", publicIp="203.0.113.7"),
    "aws:ec2/internetGateway:InternetGateway": _ec2("igw", "internet-gateway"),
    "aws:ec2/natGateway:NatGateway": _ec2("nat", "natgateway"),
    "aws:ec2/routeTable:RouteTable": _ec2("rtb", "route-table"),
    "aws:ec2/securityGroup:SecurityGroup": _ec2("sg", "security-group"),
    "aws:ec2/subnet:Subnet": _ec2("subnet", "subnet"),
    "aws:ec2/vpc:Vpc": _ec2("vpc", "vpc", mainRouteTableId="rtb-{digits}", defaultSecurityGroupId="sg-{digits}"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _ec2("vpce", "vpc-endpoint", prefixListId="pl-{digits}"),
    "aws:ecr/repository:Repository": _shaped(
        "arn:aws:ecr:{region}:{account}:repository/{name}",
        name="{name}",
        repositoryUrl="{account}.dkr.ecr.{region}.amazonaws.com/{name}",
    ),
    "aws:ecs/cluster:Cluster": _shaped("arn:aws:ecs:{region}:{account}:cluster/{name}", name="{name}"),
    "aws:ecs/service:Service": _shaped("arn:aws:ecs:{region}:{account}:service/{cluster}/{name}", name="{name}"),
    "aws:ecs/taskDefinition:TaskDefinition": _shaped(
        "arn:aws:ecs:{region}:{account}:task-definition/{name}:{revision}",
        arnWithoutRevision="arn:aws:ecs:{region}:{account}:task-definition/{name}",
    ),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": _shaped("arn:aws:iam::{account}:oidc-provider/{name}"),
    "aws:iam/policy:Policy": _shaped("arn:aws:iam::{account}:policy{path}{name}", name="{name}"),
    "aws:iam/role:Role": _shaped("arn:aws:iam::{account}:role{path}{name}", name="{name}"),
    "aws:kms/key:Key": _shaped("arn:aws:kms:{region}:{account}:key/{digits}", keyId="{digits}"),
    "aws:s3/bucket:Bucket": _shaped("arn:aws:s3:::{name}", bucket="{name}"),
    "aws:secretsmanager/secret:Secret": {
        "id": "arn:aws:secretsmanager:{region}:{account}:secret:{name}-??????",
        "arn": "arn:aws:secretsmanager:{region}:{account}:secret:{name}-??????",
        "name": "{name}",
    },
    "aws:secretsmanager/secretVersion:SecretVersion": {
        "id": "{secretId}|{revision}",
        "arn": "{secretId}",
        "versionId": "{revision}",
    },
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": {
        "id": "ns-{digits}",
        "arn": "arn:aws:servicediscovery:{region}:{account}:namespace/ns-{digits}",
    },
    "aws:sns/topic:Topic": _shaped("arn:aws:sns:{region}:{account}:{name}", name="{name}"),
    "aws:sns/topicSubscription:TopicSubscription": {"id": "{topic}:{digits}", "arn": "{topic}:{digits}"},
}
