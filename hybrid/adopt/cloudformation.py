"""A CloudFormation stack that stands up an agent: the official template's, or one like it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hybrid.adopt.account import Account
from hybrid.aws.errors import AwsError
from hybrid.errors import SettingsError, UsageError

_SERVICE: Final = "AWS::ECS::Service"
_OF_AGENTS_ALONE: Final = frozenset({_SERVICE, "AWS::ECS::TaskDefinition"})
_ROLE: Final = "AWS::IAM::Role"


@dataclass(frozen=True)
class Resource:
    """One of a stack. ``physical`` is AWS's own id, which may be an ARN or a name."""

    logical: str
    type: str
    physical: str


@dataclass(frozen=True)
class CloudFormationStack:
    """What a stack has, and the parameters that say for whom; values that it hides are not among them."""

    name: str
    resources: tuple[Resource, ...]
    parameters: Mapping[str, str]

    def of_type(self, kind: str) -> list[Resource]:
        return [each for each in self.resources if each.type == kind]

    def agents_own(self) -> list[str]:
        """Logical ids of what goes when another agent has taken over."""
        return [each.logical for each in self.resources if each.type in _OF_AGENTS_ALONE]

    def to_keep(self, roles_in_use: frozenset[str]) -> list[str]:
        """Logical ids of what the new stack stands on; the whole may only be deleted once these are to be retained.
        ``roles_in_use``: names of roles that locations name."""
        return [
            each.logical
            for each in self.resources
            if each.type not in _OF_AGENTS_ALONE and (each.type != _ROLE or each.physical in roles_in_use)
        ]


def read_stack(account: Account, name: str) -> CloudFormationStack:
    """The stack. Raises ``UsageError`` when there is none of that name, ``AwsError`` when AWS does not tell."""
    try:
        with account.doing(f"look at the CloudFormation stack {name}"):
            told = account.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except AwsError as error:
        if error.code == "ValidationError":  # so AWS says that there is none
            raise UsageError(
                f"There is no CloudFormation stack '{name}' in {account.region}.",
                why=error.why,
                next_step="look at its name and region: `aws cloudformation list-stacks`, --aws-region.",
            ) from None
        raise
    with account.doing(f"list what the CloudFormation stack {name} has"):
        listed = [
            Resource(each["LogicalResourceId"], each["ResourceType"], each.get("PhysicalResourceId", ""))
            for page in account.cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
            for each in page["StackResourceSummaries"]
        ]
    given = {each["ParameterKey"]: each.get("ParameterValue", "") for each in told.get("Parameters", [])}
    shown = {key: value for key, value in given.items() if "token" not in key.lower()}
    return CloudFormationStack(name, tuple(listed), shown)


def agents_service(stack: CloudFormationStack, organization: str, deployment: str) -> tuple[str, str]:
    """Cluster and name of the service that is the agent.

    Raises ``UsageError`` when the stack has none or several, ``SettingsError`` when its parameters name another
    organization or deployment: that agent is not the one that was meant.
    """
    for key, said in (("DagsterOrganization", organization), ("DagsterDeployment", deployment)):
        theirs = stack.parameters.get(key)
        if theirs and theirs != said:
            raise SettingsError(
                f"The CloudFormation stack '{stack.name}' is of '{theirs}', not of '{said}'.",
                why=f"Its parameter {key} says so.",
                next_step="name the stack of this deployment's agent, or the deployment of this agent.",
            )
    services = [each.physical for each in stack.of_type(_SERVICE)]
    if not services:
        raise UsageError(
            f"The CloudFormation stack '{stack.name}' has no service of ECS.",
            next_step="name the stack that has the agent; one on machines of your own is named by --cluster and "
            "--service.",
        )
    if len(services) > 1:
        raise UsageError(
            f"The CloudFormation stack '{stack.name}' has several services: {', '.join(map(_short, services))}.",
            next_step="say which one is the agent: --cluster and --service in place of --cloudformation.",
        )
    # arn:aws:ecs:region:account:service/cluster/name; before long ARNs the cluster was not in it
    parts = services[0].split(":service/", 1)[-1].split("/")
    if len(parts) > 1:
        return parts[-2], parts[-1]
    clusters = stack.of_type("AWS::ECS::Cluster")
    cluster = clusters[0].physical if clusters else stack.parameters.get("ExistingECSCluster", "")
    if not cluster:
        raise UsageError(
            f"The CloudFormation stack '{stack.name}' does not tell its agent's cluster.",
            next_step=f"name it: --cluster CLUSTER --service {parts[-1]}.",
        )
    return cluster.rpartition("/")[2], parts[-1]


def _short(service: str) -> str:
    return service.rpartition("/")[2]
