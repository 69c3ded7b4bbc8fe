"""Interface endpoints: addresses of AWS's services inside a network, so that calls to them need no way out.

Which services have one, and under which name:
https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pulumi
import pulumi_aws as aws

from hybrid.errors import SettingsError

HTTPS: Final = 443

KNOWN: Final[Mapping[str, str]] = {
    "ecr.api": "login to ECR and the lists of layers",
    "ecr.dkr": "pulls from ECR; its layers come from S3",
    "ecs": "tasks and services",
    "logs": "CloudWatch Logs",
    "secretsmanager": "secrets",
    "servicediscovery": "Cloud Map",
    "tagging": "the Resource Groups Tagging API",
    "sts": "roles of other accounts",
    "kms": "own keys, when code itself uses them",
    "ssm": "parameters as secrets",
    "ssmmessages": "ECS Exec",
    "monitoring": "CloudWatch metrics",
    "glue": "the data catalogue",
    "athena": "queries",
    "sqs": "queues",
    "sns": "topics",
    "lambda": "functions",
    "bedrock-runtime": "models",
}
"""Short names, with what each is for. Any other service goes by its whole name."""


@dataclass(frozen=True)
class PrivateLink:
    """An endpoint service of another account, such as that of the control plane."""

    label: str
    """What it is called here, for names: ``dagster-plus``."""
    service_name: str
    """As its owner gave it: ``com.amazonaws.vpce.us-west-2.vpce-svc-…``."""
    private_dns: bool = True
    """Whether the owner's own host names lead to it inside the network. False where the owner has verified none: AWS
    would refuse the endpoint."""


@dataclass(frozen=True)
class EndpointsArgs:
    """Which services get an address inside, and who may use it."""

    vpc_id: pulumi.Input[str]
    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]]
    """One of each zone; an endpoint is billed by the hour in each."""
    region: str
    clients: Mapping[str, pulumi.Input[str]]
    """The security groups whose members may use them, each by a short name: ``{"agent": …, "code": …}``."""
    services: Sequence[str] = ()
    """Short names (``ecr.api``, see ``KNOWN``) or whole ones (``com.amazonaws.eu-west-1.glue``)."""
    private_links: Sequence[PrivateLink] = field(default=())
    clients_are_restricted: bool = False
    """Whether the clients' groups let out only what is listed: then a rule of theirs is added for the endpoints."""


class Endpoints(pulumi.ComponentResource):
    """Interface endpoints with private DNS, behind one security group.

    - a security group that takes 443 from the clients' groups and nothing else, and lets nothing out
    - an endpoint for each service and private link
    """

    group_id: pulumi.Output[str]

    def __init__(self, name: str, args: EndpointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        wanted = _wanted(args)
        super().__init__("dagsterhybrid:infra:Endpoints", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        group = aws.ec2.SecurityGroup(
            f"{name}-group",
            description="HTTPS to interface endpoints from tasks",
            vpc_id=args.vpc_id,
            tags={"Name": f"{name}-group"},
            opts=inside,
        )
        for client, client_group in args.clients.items():
            self._open(f"{name}-from-{client}", group.id, client, client_group, restricted=args.clients_are_restricted)
        for label, (service, private_dns) in wanted.items():
            aws.ec2.VpcEndpoint(
                f"{name}-{label}",
                vpc_id=args.vpc_id,
                vpc_endpoint_type="Interface",
                service_name=service,
                subnet_ids=args.subnet_ids,
                security_group_ids=[group.id],
                private_dns_enabled=private_dns,
                tags={"Name": f"{name}-{label}"},
                opts=inside,
            )
        self.group_id = group.id
        self.register_outputs({"groupId": self.group_id})

    def _open(
        self, name: str, group: pulumi.Input[str], client: str, client_group: pulumi.Input[str], *, restricted: bool
    ) -> None:
        inside = pulumi.ResourceOptions(parent=self)
        aws.vpc.SecurityGroupIngressRule(
            name,
            security_group_id=group,
            description=f"HTTPS from {client}",
            referenced_security_group_id=client_group,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            tags={"Name": name},
            opts=inside,
        )
        if restricted:
            aws.vpc.SecurityGroupEgressRule(
                f"{name}-out",
                security_group_id=client_group,
                description="HTTPS to interface endpoints",
                referenced_security_group_id=group,
                ip_protocol="tcp",
                from_port=HTTPS,
                to_port=HTTPS,
                tags={"Name": f"{name}-out"},
                opts=inside,
            )


def service_name(service: str, region: str) -> str:
    """The whole name of a service's endpoint. Raises ``SettingsError`` for a short name that is not in ``KNOWN``, and
    for a whole one of another region."""
    if ".amazonaws." in service:
        _check_region(service, region)
        return service
    if region.startswith("cn-"):
        raise SettingsError(
            f"The endpoint {service!r} goes by its short name in {region}.",
            why="in China some services' names begin with `com.amazonaws.` and some with `cn.com.amazonaws.`",
            next_step=f"give its whole name: `aws ec2 describe-vpc-endpoint-services --region {region}` lists them.",
        )
    if service not in KNOWN:
        raise SettingsError(
            f"No interface endpoint goes by the short name {service!r} here.",
            why="known are " + ", ".join(sorted(KNOWN)),
            next_step=f"take one of these, or give its whole name, such as com.amazonaws.{region}.{service}.",
        )
    return f"com.amazonaws.{region}.{service}"


def short_name(service: str) -> str:
    """``ecr.api`` for itself and for ``com.amazonaws.eu-west-1.ecr.api``."""
    return re.sub(r"^(cn\.)?com\.amazonaws\.[a-z0-9-]+\.", "", service)


def _check_region(service: str, region: str) -> None:
    named = re.match(r"^(?:cn\.)?com\.amazonaws\.(?:vpce\.)?([a-z]{2}(?:-[a-z]+)+-\d+)\.", service)
    if named and named.group(1) != region:
        raise SettingsError(
            f"The endpoint {service} is of {named.group(1)}; the network is in {region}.",
            why="an interface endpoint leads to its own region's service",
            next_step=f"name the service of {region}.",
        )


def _wanted(args: EndpointsArgs) -> dict[str, tuple[str, bool]]:
    """Service name and private DNS by the label in resource names; refuses what is named twice."""
    labelled = [(short_name(one).replace(".", "-"), service_name(one, args.region), True) for one in args.services]
    for link in args.private_links:
        _check_region(link.service_name, args.region)
        labelled.append((link.label, link.service_name, link.private_dns))
    wanted: dict[str, tuple[str, bool]] = {}
    for label, service, private_dns in labelled:
        if label in wanted or label == "group":
            raise SettingsError(
                f"The interface endpoint {label!r} is given more than once.",
                why="two of one service in one network cannot both have its host names",
                next_step="name each once.",
            )
        wanted[label] = (service, private_dns)
    return wanted
