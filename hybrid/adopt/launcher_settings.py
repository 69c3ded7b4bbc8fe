"""The configuration of the stock ECS launcher said as settings of an agent of kind `ecs`.

Keys and defaults: dagster_cloud/workspace/ecs/launcher.py, dagster_cloud/workspace/user_code_launcher and
dagster_aws/ecs/tasks.py of dagster-cloud 1.13.27.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hybrid.adopt.remarks import Remark
from hybrid.adopt.secrecy import looks_secret, secret_names
from hybrid.adopt.taken import Taken
from hybrid.aws.fargate import size_problem

TOKEN: Final = "DAGSTER_CLOUD_AGENT_TOKEN"  # noqa: S105 - a variable's name
_PROXIES: Final = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"})
_OURS: Final = frozenset(
    {
        "DAGSTER_HOME",
        "DAGSTER_CLOUD_AGENT_SENTINEL_DIR",
        "DAGSTER_CLOUD_CLEANUP_SERVER_GRACE_PERIOD_SECONDS",
        "HYBRID_DAGSTER_YAML",
    }
)
_DAGSTERS_SIZE: Final = (256, 512)
"""Processor units and MiB of a code server or run for which nothing is said (dagster_aws/ecs/tasks.py)."""
# The stack has its own in their place; each is spoken of elsewhere.
_THE_STACKS: Final = (
    "cluster",
    "subnets",
    "security_group_ids",
    "service_discovery_namespace_id",
    "execution_role_arn",
    "task_role_arn",
    "log_group",
    "assign_public_ip",
    "server_task_definition_prefix",
    "run_task_definition_prefix",
    "requires_healthcheck",
)


class LauncherSettings:
    """``settings`` are keys of `hybrid:agent`; ``remarks`` say what has no words there, and ``tags`` what everything
    is to bear.

    ``variables`` and ``secrets`` are those of the agent's own container: the launcher hands on some by name.
    """

    def __init__(self, config: Mapping[str, Any], variables: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        self.settings: dict[str, Any] = {}
        self.remarks: list[Remark] = []
        self.tags: dict[str, str] = {}
        self._taken = Taken(config)
        for key in _THE_STACKS:
            self._taken.take(key)
        self._plain()
        self._launch_type()
        self._sizes()
        self._secrets()
        self._variables(variables, secrets)
        self._volumes()
        self._containers()
        self._health_check()
        self._ttl()
        self._tags()
        for path, _ in self._taken.left("user_code_launcher.config."):
            self.unsaid(path, "there is no such setting here")

    def unsaid(self, subject: str, why: str) -> None:
        self.remarks.append(Remark("unsaid", subject, why))

    def _plain(self) -> None:
        numbers = {
            "server_process_startup_timeout": "startupTimeoutSeconds",
            "ecs_timeout": "ecsTimeoutSeconds",
            "ecs_grace_period": "ecsGraceSeconds",
        }
        for key, name in numbers.items():
            self._set(name, self._taken.number(key))
        flags = {
            "direct_snapshot_uploads": "directSnapshotUploads",
            "upload_snapshots_on_startup": "uploadSnapshotsOnStartup",
            "enable_ecs_exec": "exec",
        }
        for key, name in flags.items():
            self._set(name, self._taken.flag(key))
        for key, name in {"agent_metrics": "agentMetrics", "code_server_metrics": "codeServerMetrics"}.items():
            self._set(name, self._taken.below(key).flag("enabled"))
        self._set("secretsTag", self._taken.text("secrets_tag"))
        self._set("repositoryCredentials", self._taken.text("repository_credentials"))

    def _set(self, name: str, value: Any) -> None:
        if value is not None:
            self.settings[name] = value

    def _launch_type(self) -> None:
        kind = self._taken.text("launch_type")
        if kind not in {None, "FARGATE"}:
            self.unsaid(
                "launch_type",
                f"code servers and runs were on {kind}; here they are on Fargate, without GPU and host volumes. "
                "Keep the old agent on a queue of its own for what needs such machines.",
            )
        platform = self._taken.below("runtime_platform")
        architecture = platform.text("cpuArchitecture")
        if architecture:
            self.settings["codeArchitecture"] = {"ARM64": "arm64"}.get(architecture, "amd64")
        if platform.text("operatingSystemFamily") not in {None, "LINUX"}:
            self.unsaid("runtime_platform.operatingSystemFamily", "code runs on LINUX")

    def _sizes(self) -> None:
        for key, name in (("server_resources", "serverResources"), ("run_resources", "runResources")):
            told = self._taken.below(key)
            cpu, memory = told.number("cpu") or _DAGSTERS_SIZE[0], told.number("memory") or _DAGSTERS_SIZE[1]
            size: dict[str, Any] = {"cpu": cpu, "memoryMib": memory}
            if problem := size_problem(cpu, memory):
                self.unsaid(key, f"{problem}; it gets the default of {name}")
                size = {}
            disk, replicas = told.number("ephemeral_storage"), told.number("replica_count")
            size |= {"ephemeralStorageGib": disk} if disk else {}
            size |= {"replicas": replicas} if replicas and name == "serverResources" else {}
            if size:
                self.settings[name] = size
            for path, _ in told.left(f"{key}."):
                self.unsaid(path, "its value is no size that can be said here")

    def _variables(self, variables: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        said: dict[str, str] = {}
        for entry in self._taken.items("env_vars"):
            name, equals, value = str(entry).partition("=")
            if name == TOKEN or name in _PROXIES:
                continue  # the stack's own: a secret, and `proxy`
            if name in _OURS:
                self.unsaid(f"env_vars: {name}", "the stack says it")
                continue
            if name in self.settings.get("secrets", {}):
                self.unsaid(f"env_vars: {name}", "it is a secret, too, and ECS starts no task that has both")
            elif not equals and name in secrets:
                self._secret(name, secrets[name])
            elif not equals and name not in variables:
                self.unsaid(f"env_vars: {name}", "the agent's own environment has it from somewhere that is not told")
            elif looks_secret(name, held := value if equals else variables[name]):
                self.remarks.append(
                    Remark(
                        "danger",
                        f"env_vars: {name}",
                        "it looks like a secret in plain text, so it is not copied; keep it in Secrets Manager and "
                        "name its ARN in `secrets`, or make it an environment variable of Dagster+",
                    )
                )
            else:
                said[name] = held
        if said:
            self.settings["environment"] = said

    def _secrets(self) -> None:
        for entry in self._taken.items("secrets"):
            if isinstance(entry, Mapping):
                self._secret(str(entry.get("name", "")), str(entry.get("valueFrom", "")))
            else:
                self.unsaid(
                    "secrets",
                    f"{entry} is named without a variable; every key in it became one. Name each in `secrets`",
                )

    def _secret(self, name: str, arn: str) -> None:
        if name == TOKEN:
            return
        if ":secretsmanager:" not in arn:
            self.unsaid(f"secrets: {name}", "it comes from elsewhere than Secrets Manager; put it there")
            return
        self.settings.setdefault("secrets", {})[name] = arn

    def _volumes(self) -> None:
        mounts = {str(each.get("sourceVolume")): each for each in self._taken.items("mount_points")}
        said = []
        for each in self._taken.items("volumes"):
            volume = _volume(Taken(each), Taken(mounts.pop(str(each.get("name")), {})))
            if volume is None:
                self.unsaid(f"volumes: {each.get('name')}", "it is neither a folder of EFS nor scratch, or not mounted")
            else:
                said.append(volume)
        for name in mounts:
            self.unsaid(f"mount_points: {name}", "there is no volume of that name")
        if said:
            self.settings["volumes"] = said

    def _containers(self) -> None:
        names = {"server_sidecar_containers": "serverSidecars", "run_sidecar_containers": "runSidecars"}
        for key, name in names.items():
            containers = self._taken.items(key)
            telling = sorted(set(secret_names(containers)))
            if telling:
                self.remarks.append(
                    Remark("danger", key, f"{', '.join(telling)} looks like a secret in plain text: not copied")
                )
            elif containers:
                self.settings[name] = containers

    def _health_check(self) -> None:
        told = self._taken.below("server_health_check")
        command = told.items("command")
        if not command:
            return
        kind, *words = (str(word) for word in command)
        said: dict[str, Any] = {"command": words if kind == "CMD" else ["/bin/sh", "-c", *words]}
        # what ECS takes where nothing is said: docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
        defaults = {"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0}
        names = {"interval": "intervalSeconds", "timeout": "timeoutSeconds", "startPeriod": "startPeriodSeconds"}
        for key, value in defaults.items():
            found = told.number(key)
            said[names.get(key, key)] = value if found is None else found
        self.settings["serverHealthCheck"] = said

    def _ttl(self) -> None:
        if said := server_ttl(self._taken.below("server_ttl")):
            self.settings["serverTtl"] = said

    def _tags(self) -> None:
        by_list = [
            {str(each.get("key")): str(each.get("value") or "") for each in self._taken.items(key)}
            for key in ("server_ecs_tags", "run_ecs_tags")
        ]
        for tags in by_list:
            for key, value in tags.items():
                if key.lower().startswith("aws:") or key.startswith("dagster"):
                    self.unsaid(f"tag {key}", "such keys are AWS's, the agent's and the stack's")
                elif self.tags.setdefault(key, value) != value:
                    self.unsaid(f"tag {key}", "code servers and runs had different values; the stack has one for all")
        if by_list[0].keys() ^ by_list[1].keys():
            self.remarks.append(
                Remark("changes", "tags", "code servers and runs had different ones; now everything bears all of them")
            )


def server_ttl(told: Taken) -> dict[str, Any]:
    """When idle code servers are stopped, as ``serverTtl`` says it; the same for every launcher."""
    named = told.has("full_deployments")
    full, branches = told.below("full_deployments"), told.below("branch_deployments")
    said: dict[str, Any] = {}
    # as it was written before branch deployments had their own; it goes before the later form
    older, seconds = told.flag("enabled"), told.number("ttl_seconds") or full.number("ttl_seconds")
    enabled = older if older is not None else full.flag("enabled")
    if named or enabled is not None:
        # named without a word of `enabled`, it is (user_code_launcher.py, server_ttl_enabled_for_full_deployments)
        said["fullDeployments"] = {"enabled": enabled is not False} | ({"ttlSeconds": seconds} if seconds else {})
    if branch_seconds := branches.number("ttl_seconds"):
        said["branchDeployments"] = {"ttlSeconds": branch_seconds}
    if most := told.number("max_servers"):
        said["maxServers"] = most
    return said


def _volume(told: Taken, mount: Taken) -> dict[str, Any] | None:
    name, path = told.text("name"), mount.text("containerPath")
    mount.take("sourceVolume")
    if not name or not path:
        return None
    said: dict[str, Any] = {"name": name, "mountPath": path}
    if mount.flag("readOnly"):
        said["readOnly"] = True
    efs = told.below("efsVolumeConfiguration")
    system = efs.text("fileSystemId")
    if system:
        said["fileSystemId"] = system
        authorization = efs.below("authorizationConfig")
        pairs = {"rootDirectory": efs.text("rootDirectory"), "accessPointId": authorization.text("accessPointId")}
        said |= {key: value for key, value in pairs.items() if value}
        if authorization.text("iam") == "ENABLED":
            said["iam"] = True
        efs.take("transitEncryption")  # always on here
    known = not (list(told.left()) or list(mount.left()) or list(efs.left()))
    return said if known else None
