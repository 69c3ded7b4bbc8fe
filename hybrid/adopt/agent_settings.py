"""An agent that was found, said as ``hybrid:agent`` and ``hybrid:aws``; what of it is the same on each platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hybrid.adopt.account import Account
from hybrid.adopt.agent_in_aws import FoundAgent, Namespace, log_group_of, namespace_named, namespace_of_servers, vpc_of
from hybrid.adopt.launcher_settings import LauncherSettings
from hybrid.adopt.remarks import Kind, Remark
from hybrid.adopt.roles import Role, read_role
from hybrid.adopt.taken import Taken
from hybrid.aws.errors import AwsDenied, AwsNotFound
from hybrid.aws.fargate import size_problem
from hybrid.errors import UsageError
from hybrid.plus import Agent, Endpoint

RETENTIONS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653)
"""The days for which the stack's log groups can keep their logs (``logRetentionDays``)."""

_DAGSTERS_IMAGE: Final = ("docker.io/dagster/", "dagster/", "public.ecr.aws/dagster/")
_EXECUTION_POLICY: Final = "service-role/AmazonECSTaskExecutionRolePolicy"
_OF_THE_IMAGE: Final = frozenset(
    {"DAGSTER_HOME", "DAGSTER_CLOUD_AGENT_MEMORY_LIMIT", "DAGSTER_CLOUD_AGENT_CPU_LIMIT", "HYBRID_DAGSTER_YAML"}
)


@dataclass
class AgentSettings:
    """``agent``, ``aws`` and ``kubernetes`` are the keys of the stack file."""

    agent: dict[str, Any] = field(default_factory=dict)
    aws: dict[str, Any] = field(default_factory=dict)
    kubernetes: dict[str, Any] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    task_role: str | None = None
    """The ARN of the role that code had, unless a location names its own."""

    def remark(self, kind: Kind, subject: str, text: str) -> None:
        self.remarks.append(Remark(kind, subject, text))


def new_label(stack: str, agents: Sequence[Agent]) -> str | None:
    """A label for the new agent that no other has; None: the stack's own default will do."""
    taken = {agent.label for agent in agents}
    name = f"hybrid-{stack}"
    if name not in taken:
        return None
    return next(label for number in range(2, 1000) if (label := f"{name}-{number}") not in taken)


def settings_of(account: Account, found: FoundAgent, endpoint: Endpoint) -> AgentSettings:
    """Reads what the agent's own settings lead to. Raises ``UsageError`` for an agent that does not live on ECS,
    ``AwsError`` for what AWS does not tell and a stack cannot do without."""
    said = AgentSettings()
    said.agent["kind"] = "ecs"
    document = Taken(found.settings.document if found.settings else {})
    launcher = document.below("user_code_launcher")
    _require_ecs(launcher.text("module"), launcher.text("class"), found)
    launcher.take("config")
    _unread(said, found)
    _task(said, found)
    read_api(said, document.below("dagster_cloud_api"), endpoint)
    read_queues_and_fences(said, document, endpoint.deployment)
    _compute_logs(said, document.below("compute_logs"))
    of_launcher = LauncherSettings(found.launcher, found.variables, found.secrets)
    said.agent |= of_launcher.settings
    said.remarks += of_launcher.remarks
    _place(said, account, found)
    _roles(said, account, found)
    _tags(said, found, of_launcher.tags)
    _variables(said, found)
    for ours in ("instance_class", "isolated_agents", "agent_replicas", "telemetry"):
        document.take(ours)
    for path, _ in document.left():
        said.remark("unsaid", path, "the stack writes the agent's dagster.yaml, and has no setting for it")
    return said


def _require_ecs(module: str | None, name: str | None, found: FoundAgent) -> None:
    if name is not None and name != "EcsUserCodeLauncher":
        raise UsageError(
            f"The agent '{found.service}' starts code by {module}.{name}, not on ECS.",
            next_step="adopt its locations with --no-agent, and stand up another kind of agent for them.",
        )


def _unread(said: AgentSettings, found: FoundAgent) -> None:
    if found.plain_token:
        said.remark(
            "danger",
            "agent token",
            f"it stands in plain text in the task definition of '{found.service}', and all its revisions: whoever may "
            "read task definitions has it. The stack makes a token of its own in Secrets Manager; revoke the old one "
            "when the old agent is gone",
        )
    if found.settings is None:
        said.remark(
            "unsaid",
            "dagster.yaml",
            "the task definition carries none, so the agent's queues, time-outs, sizes and secrets are not known; "
            "write those that are not the default into hybrid:agent",
        )


def _task(said: AgentSettings, found: FoundAgent) -> None:
    if found.launch_type not in {"", "FARGATE"} or found.capacity_providers not in {(), ("FARGATE",)}:
        where = found.launch_type or ", ".join(found.capacity_providers)
        said.remark("unsaid", "launch type", f"the agent ran on {where}; the new one runs on FARGATE")
    if found.cpu.isdigit() and found.memory.isdigit() and not size_problem(int(found.cpu), int(found.memory)):
        said.agent |= {"cpu": int(found.cpu), "memoryMib": int(found.memory)}
    else:
        said.remark("unsaid", "size", f"Fargate has no task of cpu {found.cpu} and memory {found.memory}: the default")
    if found.desired > 1:
        said.agent["replicas"] = min(found.desired, 5)
    if found.desired > 5:
        said.remark("unsaid", "replicas", f"there were {found.desired}; a stack has 5 at most")
    overlapping = found.maximum_percent > 100 and found.minimum_percent >= 100
    if not overlapping and found.desired <= 1:
        said.agent["zeroDowntime"] = False
    elif not overlapping:
        said.remark("changes", "zeroDowntime", "a new agent starts before an old one stops, which several agents need")
    if not found.image.startswith(_DAGSTERS_IMAGE):
        said.agent["image"] = found.image
        said.remark("kept", "image", f"{found.image}; it needs `dagster-cloud[ecs]` and a shell")
    elif found.image:
        version = found.image.rpartition(":")[2]
        said.remark("changes", "agent", f"{version} gives way to the version that this checkout is held against")
    if found.architecture == "ARM64" and "image" in said.agent:
        said.agent["architecture"] = "arm64"


def read_api(said: AgentSettings, api: Taken, endpoint: Endpoint) -> None:
    """``dagster_cloud_api``. Raises ``UsageError`` when the agent serves other deployments than this one."""
    url = api.text("url")
    if url and url.rstrip("/") not in {endpoint.agent_url, endpoint.url}:
        said.remark("unsaid", "url", f"the agent spoke to {url}; the new one speaks to {endpoint.agent_url}")
    api.take("agent_label")
    named = [name for name in [api.text("deployment"), *api.items("deployments")] if isinstance(name, str) and name]
    others = sorted(set(named) - {endpoint.deployment})
    if others:
        said.remark("unsaid", "deployments", f"it also served {', '.join(others)}; each becomes a stack of its own")
    if named and endpoint.deployment not in named:
        raise UsageError(
            f"The agent serves {', '.join(sorted(named))}, not the deployment '{endpoint.deployment}'.",
            next_step="correct --deployment, or name the agent of this deployment.",
        )
    if api.flag("branch_deployments"):
        said.agent["branchDeployments"] = True
    for key, name in {"timeout": "apiTimeoutSeconds", "retries": "apiRetries"}.items():
        value = api.number(key)
        if value is not None:
            said.agent[name] = value
    addresses = sorted({str(value) for value in dict(api.take("proxies") or {}).values()})
    if len(addresses) == 1 and "@" not in addresses[0]:
        said.agent["proxy"] = {"url": addresses[0]}
    elif addresses:
        said.remark("unsaid", "proxies", "a stack has one proxy for all, whose address holds no login")
    for path, _ in api.left("dagster_cloud_api."):
        said.remark("unsaid", path, "there is no such setting here")


def read_queues_and_fences(said: AgentSettings, document: Taken, deployment: str) -> None:
    """Which locations it takes, by their queues and by their names."""
    queues = document.below("agent_queues")
    default, additional = (
        queues.flag("include_default_queue"),
        [str(each) for each in queues.items("additional_queues")],
    )
    if additional or default is False:
        said.agent["queues"] = {"includeDefault": default is not False, "additional": additional}
    full = dict(document.take("allowed_full_deployment_locations") or {})
    branches = document.take("allowed_branch_deployment_locations")
    own = full.pop(deployment, None)
    if full:
        said.remark("unsaid", "allowed_full_deployment_locations", f"of {', '.join(sorted(full))}: other stacks' own")
    if own is not None:
        said.agent["allowedLocations"] = list(own)
    if branches is not None and branches != own:
        said.remark(
            "unsaid",
            "allowed_branch_deployment_locations",
            "a stack's agent is allowed the same locations of full and branch deployments",
        )


def _compute_logs(said: AgentSettings, told: Taken) -> None:
    name = told.text("class")
    told.take("module")
    config = told.below("config")
    if name == "NoOpComputeLogManager":
        said.agent["computeLogs"] = "off"
    elif name == "S3ComputeLogManager":
        said.agent["computeLogs"] = "bucket"
        said.remark(
            "changes",
            "compute logs",
            f"they went to the bucket {config.text('bucket')}, now they go to the stack's own; old ones stay there",
        )
        for key in ("prefix", "region", "show_url_only", "local_dir", "skip_empty_files", "use_ssl", "verify"):
            config.take(key)
    elif name not in {None, "CloudComputeLogManager"}:
        said.remark("unsaid", "compute_logs", f"{name}: the output of steps goes to Dagster+")
    interval = config.number("upload_interval")
    if interval is not None:
        said.agent["logUploadIntervalSeconds"] = interval
    for path, _ in config.left("compute_logs.config."):
        said.remark("unsaid", path, "there is no such setting here")


def _place(said: AgentSettings, account: Account, found: FoundAgent) -> None:
    config = found.launcher
    subnets = [str(each) for each in config.get("subnets") or found.subnets]
    if not subnets:
        raise UsageError(
            f"The service '{found.service}' does not tell its subnets.",
            next_step="adopt with --no-agent, and write `network` in hybrid:aws by hand.",
        )
    vpc, public = vpc_of(account, subnets), config.get("assign_public_ip")
    if not isinstance(public, bool):
        public = bool(found.public_address)
        said.remark("kept", "assignPublicIp", f"{str(public).lower()}, as the agent's own service has it")
    said.aws["network"] = {"kind": "ids", "vpcId": vpc, "subnetIds": subnets, "assignPublicIp": public}
    said.remark("kept", "network", f"{vpc} with {', '.join(subnets)}")
    groups = [str(each) for each in config.get("security_group_ids") or found.groups]
    said.remark(
        "new",
        "security groups",
        f"the tasks had {', '.join(groups) or 'the default group of the network'}. What lets that in (a database, a "
        "file system) has to let in the stack's groups, before locations are served",
    )
    _cluster(said, found, str(config.get("cluster") or found.cluster).rpartition("/")[2])
    _namespace(said, account, found, config)
    _logs(said, account, config)


def _cluster(said: AgentSettings, found: FoundAgent, cluster: str) -> None:
    said.agent["cluster"] = cluster
    said.remark("kept", "cluster", cluster)
    if cluster != found.cluster:
        said.remark("changes", "cluster", f"the agent was in {found.cluster}; now it is with its code in {cluster}")


def _namespace(said: AgentSettings, account: Account, found: FoundAgent, config: Mapping[str, Any]) -> None:
    id, role = config.get("service_discovery_namespace_id"), config.get("service_discovery_role_arn")
    namespace: Namespace | None
    if isinstance(id, str) and role:
        # another account's: it is not told to this one
        said.remark("unsaid", "namespace", f"{id} is another account's; write `namespace` with its name and {role}")
        return
    namespace = namespace_named(account, id) if isinstance(id, str) else namespace_of_servers(account, found.cluster)
    if namespace is None:
        said.remark("new", "namespace", "none was found; code servers get other names")
        return
    said.agent["namespace"] = {"id": namespace.id, "name": namespace.name}
    said.remark("kept", "namespace", f"{namespace.name} ({namespace.id})")


def _logs(said: AgentSettings, account: Account, config: Mapping[str, Any]) -> None:
    group = config.get("log_group")
    if not isinstance(group, str):
        return
    days, key = log_group_of(account, group)
    if days in RETENTIONS:
        said.aws["logRetentionDays"] = days
    if key:
        said.aws["logKeyArn"] = key
    kept = f"for {days} days" if days else "for ever"
    said.remark("new", "log groups", f"one for the agent, one for code; {group} keeps what is in it {kept}")


def _roles(said: AgentSettings, account: Account, found: FoundAgent) -> None:
    arn = found.launcher.get("task_role_arn") or found.task_role_arn
    said.remark(
        "new", "roles", "of the agent, of code, and of what starts either: each apart, with what it needs alone"
    )
    if not isinstance(arn, str):
        return
    said.task_role = arn
    try:
        role = read_role(account, arn)
    except (AwsDenied, AwsNotFound) as error:
        said.remark("danger", "role of code", f"{arn} could not be read ({error.what}); see what code relies on")
        return
    if role is None:
        return
    if role.boundary:
        said.aws["permissionsBoundary"] = role.boundary
    if role.path != "/":
        said.aws["rolePath"] = role.path
    shared = arn == found.task_role_arn
    _what_code_had(said, role, shared=shared)


def _what_code_had(said: AgentSettings, role: Role, *, shared: bool) -> None:
    """What user code was allowed to do by the role that it loses."""
    if shared:
        said.remark(
            "changes",
            "role of code",
            f"code ran with the agent's own role {role.name}, which may start and stop every task of the cluster and "
            "pass roles; its new role has its part of the stack's bucket and the policies below",
        )
    if role.reads_all_secrets:
        said.remark(
            "changes",
            "secrets",
            f"{role.name} reads every secret of the account. Code that reads some itself needs a policy in "
            "`codePolicyArns`; those that come as variables are named in `secrets`",
        )
    managed = [arn for arn in role.managed if not arn.endswith(_EXECUTION_POLICY)]
    if managed:
        said.aws["codePolicyArns"] = managed
        said.remark(
            "kept", "codePolicyArns", f"{', '.join(managed)}, attached to {role.name}; look whether all need it"
        )
    for name, actions in role.beyond_agents().items():
        said.remark(
            "unsaid",
            f"policy {name}",
            f"inline in {role.name}, it allows {', '.join(actions)}. What code relies on becomes a managed policy in "
            "`codePolicyArns`, or in `locationRoles` for one location",
        )


def _tags(said: AgentSettings, found: FoundAgent, launchers: Mapping[str, str]) -> None:
    own = {key: value for key, value in found.tags.items() if not key.startswith(("aws:", "dagster"))}
    tags = {**own, **launchers}
    if tags:
        said.aws["tags"] = tags


def _variables(said: AgentSettings, found: FoundAgent) -> None:
    given = said.agent.get("environment", {}).keys() | said.agent.get("secrets", {}).keys()
    known = {*_OF_THE_IMAGE, *given, "DAGSTER_CLOUD_AGENT_TOKEN"}
    settings = found.settings
    own = [
        name
        for name in sorted({*found.variables, *found.secrets} - known)
        if settings is None or "user_code_launcher" not in found.variables.get(name, "")
    ]
    if own:
        said.remark(
            "unsaid",
            "variables of the agent",
            f"{', '.join(own)}: what it needs goes into `environment`, which code gets too, or `proxy`",
        )
