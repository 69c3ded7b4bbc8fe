"""An agent that is a service of ECS, as AWS tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hybrid.adopt.account import Account
from hybrid.adopt.embedded import TOKEN_VARIABLE, DagsterYaml, embedded, plain_variables
from hybrid.aws.errors import AwsNotFound
from hybrid.aws.services import service_named, services_in
from hybrid.aws.tags import tags_of
from hybrid.errors import UsageError
from hybrid.redaction import Token

_AGENT_IMAGE: Final = "dagster-cloud-agent"


@dataclass(frozen=True)
class Namespace:
    """A Cloud Map namespace."""

    id: str
    name: str


@dataclass(frozen=True)
class FoundAgent:
    """The service and its task definition. ``container`` is the agent's own, as DescribeTaskDefinition tells it."""

    cluster: str
    service: str
    desired: int
    launch_type: str
    """FARGATE, EC2 or EXTERNAL; empty with capacity providers."""
    capacity_providers: tuple[str, ...]
    minimum_percent: int
    maximum_percent: int
    subnets: tuple[str, ...]
    groups: tuple[str, ...]
    public_address: bool | None
    """None: not said."""
    tags: Mapping[str, str]
    cpu: str
    memory: str
    architecture: str
    task_role_arn: str | None
    execution_role_arn: str | None
    container: Mapping[str, Any]
    settings: DagsterYaml | None
    """None: they are inside the image, or elsewhere."""
    plain_token: bool
    """Whether a token stands in the task definition."""

    @property
    def variables(self) -> dict[str, str]:
        """Plain ones of the agent's container, without a token."""
        return {name: value for name, value in plain_variables(self.container).items() if name != TOKEN_VARIABLE}

    @property
    def secrets(self) -> dict[str, str]:
        """ARNs by variable."""
        listed = self.container.get("secrets") or ()
        return {str(each.get("name", "")): str(each.get("valueFrom", "")) for each in listed}

    @property
    def image(self) -> str:
        return str(self.container.get("image", ""))

    @property
    def launcher(self) -> Mapping[str, Any]:
        """The configuration of its launcher; empty when it is not known."""
        document = self.settings.document if self.settings else {}
        launcher = document.get("user_code_launcher") or {}
        return launcher.get("config") or {} if isinstance(launcher, Mapping) else {}


def agents_in(account: Account, cluster: str) -> list[str]:
    """Names of the services of a cluster that look like an agent: Dagster's image, or its settings in the command.
    Raises ``UsageError`` when there is no such cluster."""
    require_cluster(account, cluster)
    found = []
    for service in services_in(account, cluster):
        if service.is_of_agent or not service.task_definition:
            continue
        definition = _definition(account, service.task_definition)
        if any(_is_agent(container) for container in definition["containerDefinitions"]):
            found.append(service.name)
    return sorted(found)


def the_agent_of(account: Account, cluster: str) -> str:
    """The one agent of a cluster. Raises ``UsageError`` when there is none, or more than one."""
    found = agents_in(account, cluster)
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"The cluster '{cluster}' has several agents: {', '.join(found)}.",
            next_step="say which one with --service; each becomes a stack of its own.",
        )
    raise UsageError(
        f"No service of the cluster '{cluster}' looks like an agent.",
        why="None runs Dagster's agent image or carries a dagster.yaml.",
        next_step="name it with --service, or go without an agent: --no-agent.",
    )


def require_cluster(account: Account, cluster: str) -> None:
    """Raises ``UsageError`` when there is no such cluster, with those that there are."""
    with account.doing(f"look at the cluster {cluster}"):
        found = account.ecs.describe_clusters(clusters=[cluster])["clusters"]
        if any(each.get("status") == "ACTIVE" for each in found):
            return
        listed = [
            arn.rpartition("/")[2]
            for page in account.ecs.get_paginator("list_clusters").paginate()
            for arn in page["clusterArns"]
        ]
    raise UsageError(
        f"There is no cluster '{cluster}' in account {account.caller().account}, {account.region}.",
        why=f"There are: {', '.join(sorted(listed)) or 'none'}.",
        next_step="correct --cluster or --aws-region.",
    )


def read_agent(account: Account, cluster: str, service: str) -> FoundAgent:
    """The agent that is ``service``. Raises ``UsageError`` when it is not there, ``AwsError`` when AWS is silent."""
    require_cluster(account, cluster)
    known = service_named(account, cluster, service)
    if known is None or not known.is_active:
        raise UsageError(
            f"The cluster '{cluster}' has no service '{service}'.",
            why=f"Its agents: {', '.join(agents_in(account, cluster)) or 'none'}.",
            next_step="correct --service, or leave it out when there is one agent.",
        )
    with account.doing(f"look at the service {service} of the cluster {cluster}"):
        told: Any = account.ecs.describe_services(cluster=cluster, services=[service], include=["TAGS"])["services"][0]
    definition = _definition(account, told["taskDefinition"])
    network = told.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
    rollout = told.get("deploymentConfiguration", {})
    container = _agents_container(definition["containerDefinitions"])
    settings = embedded(container)
    return FoundAgent(
        cluster=cluster,
        service=service,
        desired=told.get("desiredCount", 0),
        launch_type=told.get("launchType", ""),
        capacity_providers=tuple(each["capacityProvider"] for each in told.get("capacityProviderStrategy", ())),
        minimum_percent=rollout.get("minimumHealthyPercent", 100),
        maximum_percent=rollout.get("maximumPercent", 200),
        subnets=tuple(network.get("subnets", ())),
        groups=tuple(network.get("securityGroups", ())),
        public_address={"ENABLED": True, "DISABLED": False}.get(network.get("assignPublicIp", "")),
        tags=tags_of(told.get("tags")),
        cpu=str(definition.get("cpu", "")),
        memory=str(definition.get("memory", "")),
        architecture=definition.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64"),
        task_role_arn=definition.get("taskRoleArn"),
        execution_role_arn=definition.get("executionRoleArn"),
        container=container,
        settings=settings,
        plain_token=_has_plain_token(container) or bool(settings and settings.plain_token),
    )


def vpc_of(account: Account, subnets: Sequence[str]) -> str:
    """The network of ``subnets``. Raises ``UsageError`` when they are of several."""
    with account.doing(f"look at the subnets {', '.join(subnets)}"):
        told = account.ec2.describe_subnets(SubnetIds=list(subnets))["Subnets"]
    found = sorted({each["VpcId"] for each in told})
    if len(found) != 1:
        raise UsageError(
            f"The agent's subnets are of {len(found)} networks: {', '.join(found)}.",
            next_step="adopt it with --no-agent, and write `network` in hybrid:aws by hand.",
        )
    return found[0]


def namespace_named(account: Account, id: str) -> Namespace:
    """The namespace of that id. Raises ``AwsNotFound`` when there is none."""
    with account.doing(f"look at the Cloud Map namespace {id}"):
        told = account.cloud_map.get_namespace(Id=id)["Namespace"]
    return Namespace(id, told.get("Name", ""))


def namespace_of_servers(account: Account, cluster: str) -> Namespace | None:
    """The namespace in which the cluster's code servers are registered: for an agent whose settings are not told."""
    for service in services_in(account, cluster):
        if service.is_of_agent and service.registries:
            with account.doing(f"look at the Cloud Map name of the service {service.name}"):
                told = account.cloud_map.get_service(Id=service.registries[0].rpartition("/")[2])["Service"]
            return namespace_named(account, told.get("NamespaceId", ""))
    return None


def log_group_of(account: Account, name: str) -> tuple[int | None, str | None]:
    """How many days a log group keeps, None for ever, and the ARN of its key."""
    with account.doing(f"look at the log group {name}"):
        for page in account.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name):
            for each in page["logGroups"]:
                if each.get("logGroupName") == name:
                    return each.get("retentionInDays"), each.get("kmsKeyId")
    return None, None


def digest_of(account: Account, registry_account: str, repository: str, tag: str) -> str | None:
    """The digest of a tag in ECR; None when ECR does not have it."""
    try:
        with account.doing(f"look for the image {repository}:{tag}"):
            told = account.ecr.describe_images(
                registryId=registry_account, repositoryName=repository, imageIds=[{"imageTag": tag}]
            )["imageDetails"]
    except AwsNotFound:
        return None
    return told[0].get("imageDigest") if told else None


def _definition(account: Account, arn: str) -> Any:
    with account.doing(f"look at the task definition {arn.rpartition('/')[2]}"):
        return account.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]


def _agents_container(containers: Sequence[Any]) -> Mapping[str, Any]:
    candidates: list[Mapping[str, Any]] = [each for each in containers if _is_agent(each)]
    essential = [each for each in containers if each.get("essential", True)]
    return (candidates or essential or containers)[0]


def _is_agent(container: Mapping[str, Any]) -> bool:
    return _AGENT_IMAGE in str(container.get("image", "")) or any(
        "dagster-cloud agent run" in text for text in _words(container)
    )


def _words(container: Mapping[str, Any]) -> Iterator[str]:
    for part in ("entryPoint", "command"):
        yield " ".join(str(word) for word in container.get(part) or ())


def _has_plain_token(container: Mapping[str, Any]) -> bool:
    value = plain_variables(container).get(TOKEN_VARIABLE)
    if value:
        Token(value)  # from now on no output of this process shows it
    return bool(value)
