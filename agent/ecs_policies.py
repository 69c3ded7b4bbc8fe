"""What the roles of an ECS stack may do, statement by statement, each with its reason. docs/iam.md is made from this.

Which calls the agent makes was read in dagster_cloud/workspace/ecs/{client,launcher,service}.py and
dagster_aws/ecs/launcher.py. Which resources and condition keys an action knows is AWS's Service Authorization
Reference (https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html); a contract test holds
every statement against it.

The bucket and the repositories grant what is theirs: ``infra.bucket.Bucket.grant_read_write``,
``infra.repository.Repository.grant_pull``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.ecs_grants import NamedByLocations
from agent.ecs_names import STACK_TAG, EcsNames
from hybrid.aws.tags import LOCATION_HASH_TAG, RUN_TAG
from hybrid.errors import SettingsError
from infra.statements import Statement

OF_THE_STACK = f"aws:ResourceTag/{STACK_TAG}"
FOR_THE_STACK = f"aws:RequestTag/{STACK_TAG}"
A_LOCATION = f"aws:ResourceTag/{LOCATION_HASH_TAG}"
A_RUN = f"aws:ResourceTag/{RUN_TAG}"


@dataclass(frozen=True)
class PolicyScope:
    """What the statements are narrowed to. Plain values: with outputs, make it in an ``apply``."""

    names: EcsNames
    cluster: str
    """The name of the ECS cluster: the stack's own, or an adopted one that others may share."""
    namespace_arn: str
    """The Cloud Map namespace of code servers, which may be another account's."""
    token_secret_arn: str
    code_role_arns: tuple[str, ...]
    """Task roles for code servers and runs: the default one and those per location."""
    code_execution_role_arn: str
    """The role by which ECS starts code servers and runs."""
    agent_log_group: str
    code_log_group: str
    named: NamedByLocations = field(default_factory=NamedByLocations)
    """What locations and the launcher's settings name."""
    service_discovery_role_arn: str | None = None
    """The role of another account by which the agent writes into that account's namespace
    (``service_discovery_role_arn`` of the launcher). Its own policy: ``service_discovery_statements``."""
    agent_image_credentials_arn: str | None = None
    """The secret with the login of the registry of the agent's image."""
    key_arns: tuple[str, ...] = ()
    """Customer keys of KMS by which the secrets are encrypted. AWS's own key needs no grant."""
    exec_enabled: bool = False
    """ECS Exec: people with the right in IAM may open a shell in a container."""

    def __post_init__(self) -> None:
        own = {self.names.role("agent"), self.names.role("agent-execution")}
        named = (*self.named.task_role_arns, *self.named.execution_role_arns)
        taken = next((role for role in named if role.rsplit("/", 1)[-1] in own), None)
        if taken is not None:
            raise SettingsError(
                f"A code location names {taken}, which is the agent's own role.",
                why="Its code could then start tasks, or read the agent's token.",
                next_step="Take the role out of the location's `container_context.ecs`, or name another one.",
            )

    @property
    def cluster_arn(self) -> str:
        return self.names.arn("ecs", f"cluster/{self.cluster}")

    @property
    def services(self) -> str:
        return self.names.arn("ecs", f"service/{self.cluster}/*")

    @property
    def tasks(self) -> str:
        return self.names.arn("ecs", f"task/{self.cluster}/*")

    @property
    def server_definitions(self) -> str:
        return self.names.arn("ecs", f"task-definition/{self.names.server_prefix}_*")

    @property
    def run_definitions(self) -> str:
        return self.names.arn("ecs", f"task-definition/{self.names.run_prefix}_*")


def agent_statements(scope: PolicyScope) -> tuple[Statement, ...]:
    """The agent's task role. It holds no ``ec2`` action, since the launcher is told ``assign_public_ip``, and no
    ``secretsmanager`` one unless tags of secrets are used."""
    statements = [*_services(scope), *_runs(scope), *_looking(scope), *_definitions(scope)]
    if scope.service_discovery_role_arn is None:
        statements += _names(scope, registers=False)
    else:
        statements.append(_other_account(scope.service_discovery_role_arn))
    if scope.named.secrets_tags:
        statements.append(
            Statement(
                sid="FindTaggedSecrets",
                actions=("secretsmanager:ListSecrets",),
                resources=("*",),
                why="Find the secrets that carry a location's tag: names and ARNs of all secrets of the account, no"
                " value. AWS takes no resource here. Secrets named by ARN need none of it.",
            )
        )
    return (*statements, *_shell(scope))


def agent_execution_statements(scope: PolicyScope) -> tuple[Statement, ...]:
    """By which ECS starts the agent's task."""
    login = [scope.agent_image_credentials_arn] if scope.agent_image_credentials_arn else []
    why = "The agent's token, put into its environment by ECS" + (", and the login for its image." if login else ".")
    return (
        _read_secrets("ReadToken", [scope.token_secret_arn, *login], why),
        *_decrypt(scope),
        _write_log(scope, scope.agent_log_group, "the agent prints"),
    )


def code_statements(scope: PolicyScope) -> tuple[Statement, ...]:
    """The task role of code servers and runs. It starts empty: the bucket grants its own share, and what a location
    needs beyond it is that location's own role."""
    return _shell(scope)


def code_execution_statements(scope: PolicyScope) -> tuple[Statement, ...]:
    """By which ECS starts code servers and runs."""
    named = scope.named
    statements = [
        _read_secrets(
            "ReadSecrets",
            [scope.token_secret_arn, *named.secret_arns, *named.repository_credential_arns],
            "The agent's token, which code servers and runs use to speak to Dagster+, and the secrets that locations"
            " name, put into their environment by ECS.",
        )
    ]
    statements += [
        Statement(
            sid=f"ReadSecretsTagged{number}",
            actions=("secretsmanager:GetSecretValue",),
            resources=(scope.names.arn("secretsmanager", "secret:*"),),
            conditions={"Null": {f"aws:ResourceTag/{tag}": "false"}},
            why=f"Every secret of the account that carries the tag {tag}, as a location wants it.",
        )
        for number, tag in enumerate(named.secrets_tags, start=1)
    ]
    return (*statements, *_decrypt(scope), _write_log(scope, scope.code_log_group, "code servers and runs print"))


def service_discovery_statements(scope: PolicyScope) -> tuple[Statement, ...]:
    """What the role of ``service_discovery_role_arn`` needs in the account that owns the namespace. That account makes
    it; the stack does not."""
    return tuple(_names(scope, registers=True))


def _services(scope: PolicyScope) -> list[Statement]:
    of_the_stack = {"StringEquals": {OF_THE_STACK: scope.names.base}, "Null": {A_LOCATION: "false"}}
    definitions = f"{scope.server_definitions}:*"
    return [
        Statement(
            sid="MakeServers",
            actions=("ecs:CreateService",),
            resources=(scope.services,),
            conditions={
                "StringEquals": {FOR_THE_STACK: scope.names.base},
                "ArnLike": {"ecs:task-definition": definitions},
            },
            why="A code server is a service of this cluster with the stack's tag and a code server's task definition.",
        ),
        Statement(
            sid="ScaleServers",
            actions=("ecs:UpdateService",),
            resources=(scope.services,),
            conditions={**of_the_stack, "ArnLikeIfExists": {"ecs:task-definition": definitions}},
            why="Before a code server is deleted it is scaled to nothing. Not the agent's own service, which has no"
            " location; not those of others in the cluster.",
        ),
        Statement(
            sid="RemoveServers",
            actions=("ecs:DeleteService",),
            resources=(scope.services,),
            conditions=of_the_stack,
            why="A location that was updated or removed, and the agent's own code servers when it stops.",
        ),
    ]


def _runs(scope: PolicyScope) -> list[Statement]:
    return [
        Statement(
            sid="StartRuns",
            actions=("ecs:RunTask",),
            resources=(scope.run_definitions,),
            conditions={
                "ArnEquals": {"ecs:cluster": scope.cluster_arn},
                "StringEquals": {FOR_THE_STACK: scope.names.base},
            },
            why="A run is a task of a run's task definition, in this cluster, with the stack's tag.",
        ),
        Statement(
            sid="StopRuns",
            actions=("ecs:StopTask",),
            resources=(scope.tasks,),
            conditions={"StringEquals": {OF_THE_STACK: scope.names.base}, "Null": {A_RUN: "false"}},
            why="Somebody terminates a run. Only tasks that are a run of this stack.",
        ),
        Statement(
            sid="TagWhatIsMade",
            actions=("ecs:TagResource",),
            resources=(scope.services, scope.tasks),
            conditions={"StringEquals": {"ecs:CreateAction": ("CreateService", "RunTask")}},
            why="The tags of services and runs, while they are made; those of what is there stay as they are.",
        ),
    ]


def _looking(scope: PolicyScope) -> list[Statement]:
    return [
        Statement(
            sid="SeeCluster",
            actions=("ecs:DescribeServices", "ecs:DescribeTasks"),
            resources=(scope.services, scope.tasks),
            why="Whether servers and runs have come up, live, and why they stopped. Without a condition on the tag: the"
            " agent looks at every service of the cluster when it starts, and asks for tasks that are long gone, which"
            " have no tags.",
        ),
        Statement(
            sid="ListCluster",
            actions=("ecs:ListServices", "ecs:ListTasks"),
            resources=("*",),
            conditions={"ArnEquals": {"ecs:cluster": scope.cluster_arn}},
            why="What is in this cluster. AWS takes no service or task as a resource, so the cluster is a condition.",
        ),
        Statement(
            sid="FindServersByTag",
            actions=("tag:GetResources",),
            resources=("*",),
            why="Find a location's servers in one call and not in three for each service. It tells ARNs and tags in the"
            " whole account; AWS takes neither resource nor condition here.",
        ),
        Statement(
            sid="ReadCodeLogs",
            actions=("logs:GetLogEvents",),
            resources=(scope.names.arn("logs", f"log-group:{scope.code_log_group}:log-stream:*"),),
            why="The last lines of a server or run that failed, for the error that Dagster+ shows.",
        ),
    ]


def _definitions(scope: PolicyScope) -> list[Statement]:
    named = scope.named
    roles = (
        *scope.code_role_arns,
        scope.code_execution_role_arn,
        *named.task_role_arns,
        *named.execution_role_arns,
    )
    return [
        Statement(
            sid="RegisterDefinitions",
            actions=("ecs:RegisterTaskDefinition",),
            resources=(scope.server_definitions, scope.run_definitions),
            why="Each location and each job has a task definition, whose family begins with the stack's prefix.",
        ),
        Statement(
            sid="ReadSettings",
            actions=("ecs:DescribeTaskDefinition", "ecs:ListAccountSettings"),
            resources=("*",),
            why="Whether a task definition can be used again, and whether the account tags services. AWS takes no"
            " resource here.",
        ),
        Statement(
            sid="PassCodeRoles",
            actions=("iam:PassRole",),
            resources=tuple(dict.fromkeys(roles)),
            conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            why="Code servers and runs get these roles, and nothing but tasks of ECS does. The agent's own are not"
            " among them.",
        ),
    ]


def _names(scope: PolicyScope, *, registers: bool) -> list[Statement]:
    """Cloud Map. ``registers``: the agent enters addresses itself, since ECS cannot in another account's namespace."""
    head = scope.namespace_arn.split(":namespace/")[0]
    services = f"{head}:service/*"
    removing = tuple(f"servicediscovery:{call}" for call in ("ListInstances", "DeregisterInstance", "DeleteService"))
    return [
        Statement(
            sid="MakeNames",
            actions=("servicediscovery:CreateService",),
            resources=(scope.namespace_arn, services),
            conditions={
                "StringEquals": {FOR_THE_STACK: scope.names.base},
                "ArnEquals": {"servicediscovery:NamespaceArn": scope.namespace_arn},
            },
            why="The name of a code server, in this namespace, with the stack's tag.",
        ),
        Statement(
            sid="TagNames",
            actions=("servicediscovery:TagResource",),
            resources=("*",),
            conditions={"StringEquals": {FOR_THE_STACK: scope.names.base}},
            why="The tags of a name that is made. AWS takes no resource here and has no key for the moment of making,"
            " so the tag that is given must be the stack's.",
        ),
        Statement(
            sid="ReadNamespace",
            actions=("servicediscovery:GetNamespace",),
            resources=(scope.namespace_arn,),
            why="The domain that follows a code server's name.",
        ),
        Statement(
            sid="SeeNames",
            actions=(
                "servicediscovery:ListServices",
                "servicediscovery:ListTagsForResource",
                "servicediscovery:GetOperation",
            ),
            resources=("*",),
            why="Which names there are, whose they are, and whether an address is gone. AWS takes no resource for the"
            " first two; an operation's id does not tell its namespace.",
        ),
        Statement(
            sid="ChangeNames" if registers else "RemoveNames",
            actions=("servicediscovery:RegisterInstance", *removing) if registers else removing,
            resources=(services,),
            conditions={"StringEquals": {OF_THE_STACK: scope.names.base}},
            why="The names of code servers that go, with the addresses they still have; only with the stack's tag.",
        ),
    ]


def _other_account(role_arn: str) -> Statement:
    return Statement(
        sid="EnterOtherAccount",
        actions=("sts:AssumeRole",),
        resources=(role_arn,),
        why="The namespace is another account's: its role is taken for Cloud Map, for which nothing is granted here.",
    )


def _shell(scope: PolicyScope) -> tuple[Statement, ...]:
    if not scope.exec_enabled:
        return ()
    channels = ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel")
    return (
        Statement(
            sid="Shell",
            actions=tuple(f"ssmmessages:{channel}" for channel in channels),
            resources=("*",),
            why="ECS Exec is on: the container's side of the channel. Who may open one is decided by"
            " ecs:ExecuteCommand, which no role here has. AWS takes no resource here.",
        ),
    )


def _read_secrets(sid: str, arns: Iterable[str], why: str) -> Statement:
    named = tuple(dict.fromkeys(_whole(arn) for arn in arns))
    return Statement(sid=sid, actions=("secretsmanager:GetSecretValue",), resources=named, why=why)


def _whole(arn: str) -> str:
    """A secret's ARN ends with a hyphen and six characters of AWS's, which some leave out."""
    return arn if re.search(r"-[A-Za-z0-9]{6}$", arn) else f"{arn}-??????"


def _decrypt(scope: PolicyScope) -> tuple[Statement, ...]:
    if not scope.key_arns:
        return ()
    suffix = "amazonaws.com.cn" if scope.names.partition == "aws-cn" else "amazonaws.com"
    return (
        Statement(
            sid="DecryptSecrets",
            actions=("kms:Decrypt",),
            resources=scope.key_arns,
            conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{scope.names.region}.{suffix}"}},
            why="The secrets are encrypted by a key of the account's own, which is used through Secrets Manager only.",
        ),
    )


def _write_log(scope: PolicyScope, group: str, of: str) -> Statement:
    return Statement(
        sid="WriteLog",
        actions=("logs:CreateLogStream", "logs:PutLogEvents"),
        resources=(scope.names.arn("logs", f"log-group:{group}:log-stream:*"),),
        why=f"What {of}.",
    )
