"""An agent on Kubernetes that was found, such as one of Dagster's own Helm chart, said as ``hybrid:agent`` and
``hybrid:kubernetes``. Pure: objects as the cluster tells them in, keys of a stack file out.

Keys of the launcher: dagster_cloud/workspace/kubernetes/launcher.py of dagster-cloud 1.13.27.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from hybrid.adopt.agent_settings import AgentSettings, read_api, read_queues_and_fences
from hybrid.adopt.launcher_settings import TOKEN, server_ttl
from hybrid.adopt.secrecy import looks_secret, secret_names
from hybrid.adopt.taken import Taken
from hybrid.errors import UsageError
from hybrid.plus import Endpoint

_DAGSTERS_IMAGE: Final = ("docker.io/dagster/", "dagster/", "public.ecr.aws/dagster/")
_PROXIES: Final = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"})
_OURS: Final = frozenset(
    {
        "DAGSTER_HOME",
        "DAGSTER_CLOUD_AGENT_SENTINEL_DIR",
        "DAGSTER_CLOUD_CLEANUP_SERVER_GRACE_PERIOD_SECONDS",
        "DAGSTER_CLOUD_CLEANUP_SERVER_CHECK_INTERVAL",
    }
)
_PLAIN: Final = {
    "deployment_startup_timeout": "podStartupTimeoutSeconds",
    "image_pull_grace_period": "imagePullGraceSeconds",
    "server_process_startup_timeout": "startupTimeoutSeconds",
    "direct_snapshot_uploads": "directSnapshotUploads",
    "upload_snapshots_on_startup": "uploadSnapshotsOnStartup",
    "fail_pod_on_run_failure": "failPodOnRunFailure",
    "pull_policy": "pullPolicy",
    "k8s_api_ssl_ca_cert_file": "caCertificateFile",
    "security_context": "securityContext",
    "env_config_maps": "envConfigMaps",
    "volumes": "volumes",
    "volume_mounts": "volumeMounts",
    "only_allow_user_defined_env_vars": "onlyAllowVariables",
}
"""Keys of the launcher whose value is the setting's."""
_RAW: Final = {
    "server_k8s_config": "serverConfig",
    "run_k8s_config": "runConfig",
    "only_allow_user_defined_k8s_config_fields": "onlyAllow",
}
_PLACE: Final = {"nodeSelector", "tolerations", "affinity", "priorityClassName", "schedulerName"}
_LABELS_OF_OTHERS: Final = ("app.kubernetes.io/", "helm.sh/", "dagster", "hybrid.dagster/", "managed_by")


@dataclass(frozen=True)
class FoundInCluster:
    """Objects as the API tells them. ``dagster_yaml``: the text that the agent's ConfigMap holds."""

    context: str
    namespace: str
    deployment: Mapping[str, Any]
    dagster_yaml: str
    accounts: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    """The service accounts of the namespace, for their annotations."""


def kubernetes_settings(found: FoundInCluster, endpoint: Endpoint) -> AgentSettings:
    """Raises ``UsageError`` for an agent that starts code elsewhere than on Kubernetes, or serves another deployment.

    Contents of Secrets are neither needed nor read.
    """
    said = AgentSettings(agent={"kind": "kubernetes"})
    document = Taken(_parsed(found.dagster_yaml))
    launcher = document.below("user_code_launcher")
    module, name = launcher.text("module"), launcher.text("class")
    if name != "K8sUserCodeLauncher":
        raise UsageError(
            f"The agent '{_name(found.deployment)}' starts code by {module}.{name}, not on Kubernetes.",
            next_step="adopt its locations with --no-agent, and stand up another kind of agent for them.",
        )
    pod = _pod(found.deployment)
    read_api(said, document.below("dagster_cloud_api"), endpoint)
    read_queues_and_fences(said, document, endpoint.deployment)
    _compute_logs(said, document.below("compute_logs"))
    _deployment(said, found, pod)
    _launcher(said, launcher.below("config"), found, pod)
    for ours in ("instance_class", "isolated_agents", "agent_replicas", "telemetry"):
        document.take(ours)
    for path, _ in document.left():
        said.remark("unsaid", path, "the stack writes the agent's dagster.yaml, and has no setting for it")
    return said


def _parsed(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError("The agent's dagster.yaml cannot be read.", why=str(error)[:300]) from None


def _compute_logs(said: AgentSettings, told: Taken) -> None:
    module, name, config = told.text("module"), told.text("class"), told.below("config")
    if name == "NoOpComputeLogManager":
        said.agent["computeLogs"] = "off"
        return
    interval = config.number("upload_interval")
    if name in {None, "CloudComputeLogManager"}:
        if interval is not None:
            said.agent["logUploadIntervalSeconds"] = interval
        return
    kept = dict(config.left())
    if telling := secret_names([kept]):
        said.remark("danger", "compute_logs", f"{', '.join(sorted(set(telling)))} looks like a secret: not copied")
        return
    kept |= {} if interval is None else {"upload_interval": interval}
    said.agent["computeLogs"] = {"module": module, "class": name, "config": kept}


def _deployment(said: AgentSettings, found: FoundInCluster, pod: Mapping[str, Any]) -> None:
    spec, container = _mapping(found.deployment.get("spec")), _container(pod)
    replicas = spec.get("replicas")
    if isinstance(replicas, int) and replicas > 1:
        said.agent["replicas"] = min(replicas, 5)
    if _mapping(spec.get("strategy")).get("type") == "Recreate" and said.agent.get("replicas", 1) == 1:
        said.agent["zeroDowntime"] = False
    image = str(container.get("image") or "")
    if image.startswith(_DAGSTERS_IMAGE):
        version = image.rpartition(":")[2]
        said.remark("changes", "agent", f"{version} gives way to the version that this checkout is held against")
    elif image:
        said.agent["image"] = image
        said.remark("kept", "image", f"{image}; it needs `dagster-cloud[kubernetes]`, a shell and `find`")
    if resources := {key: each for key, each in _mapping(container.get("resources")).items() if each}:
        said.agent["resources"] = resources
    if place := {key: pod[key] for key in sorted(_PLACE) if pod.get(key)}:
        place.pop("schedulerName", None) if place.get("schedulerName") == "default-scheduler" else None
        said.agent |= {"place": place} if place else {}
    security = _mapping(pod.get("securityContext"))
    if not security.get("runAsUser") and not security.get("runAsNonRoot"):
        said.remark("changes", "runAsUser", "the agent ran as the image's user, root with Dagster's; now it is 1001")
    said.remark("new", "Role", "of the agent's account: what it needs, where the chart's has every verb")


def _launcher(said: AgentSettings, told: Taken, found: FoundInCluster, pod: Mapping[str, Any]) -> None:
    for key, name in _PLAIN.items():
        value = told.take(key)
        if value not in (None, [], {}, ""):
            said.agent[name] = value
    for key, name in _RAW.items():
        raw = dict(told.take(key) or {})
        if telling := sorted(set(secret_names(raw))):
            said.remark("danger", key, f"{', '.join(telling)} looks like a secret in plain text: not copied")
        elif raw:
            said.agent[name] = {_camel(part): each for part, each in raw.items()}
    for key, name in {"agent_metrics": "agentMetrics", "code_server_metrics": "codeServerMetrics"}.items():
        if told.below(key).flag("enabled"):
            said.agent[name] = True
    if ttl := server_ttl(told.below("server_ttl")):
        said.agent["serverTtl"] = ttl
    if resources := {key: each for key, each in dict(told.take("resources") or {}).items() if each}:
        said.agent |= {"serverResources": resources, "runResources": dict(resources)}
    if scheduler := told.text("scheduler_name"):
        said.agent["codePlace"] = {"schedulerName": scheduler}
    if names := [str(_mapping(each).get("name")) for each in told.items("image_pull_secrets")]:
        said.agent["imagePullSecrets"] = names
    _secrets(said, told, pod)
    _variables(said, told, _plain_variables(pod))
    _place(said, told, found, pod)
    for ours in ("dagster_home", "instance_config_map", "requires_healthcheck", "defer_job_snapshots"):
        told.take(ours)
    for path, _ in told.left("user_code_launcher.config."):
        said.remark("unsaid", path, "there is no such setting here")


def _secrets(said: AgentSettings, told: Taken, pod: Mapping[str, Any]) -> None:
    """The token's Secret is the stack's own from now on."""
    tokens = _token_secrets(pod)
    named = [str(each) for each in told.items("env_secrets")]
    if kept := [name for name in named if name not in tokens]:
        said.agent["envSecrets"] = kept
    said.remark("new", "agent token", "a token of the stack's own, in a Secret of its own; revoke the old one after it")
    if TOKEN in _plain_variables(pod):
        said.remark(
            "danger",
            "agent token",
            "it stands in plain text in the agent's Deployment and in all pods of code: whoever may look at pods has "
            "it. Revoke it when the old agent is gone",
        )


def _variables(said: AgentSettings, told: Taken, agents: Mapping[str, str]) -> None:
    kept: dict[str, str] = {}
    for entry in told.items("env_vars"):
        name, equals, value = str(entry).partition("=")
        if name == TOKEN or name in _PROXIES:
            continue  # the stack's own: a Secret, and `proxy`
        held = value if equals else agents.get(name)
        if name in _OURS:
            said.remark("unsaid", f"env_vars: {name}", "the stack says it")
        elif held is None:
            said.remark("unsaid", f"env_vars: {name}", "the agent's own environment has it from where is not told")
        elif looks_secret(name, held):
            said.remark(
                "danger",
                f"env_vars: {name}",
                "it looks like a secret in plain text, so it is not copied; keep it in a Secret and name that in "
                "`envSecrets`, or make it an environment variable of Dagster+",
            )
        else:
            kept[name] = held
    if kept:
        said.agent["environment"] = kept


def _place(said: AgentSettings, told: Taken, found: FoundInCluster, pod: Mapping[str, Any]) -> None:
    namespace = told.text("namespace") or found.namespace
    said.kubernetes |= {"context": found.context, "namespace": {"name": namespace, "adopt": True}}
    said.remark("kept", "namespace", f"{namespace}, which the stack neither makes nor removes")
    if namespace != found.namespace:
        said.remark("changes", "namespace", f"the agent was in {found.namespace}; now it is with its code, {namespace}")
    labels = {key: each for key, each in dict(told.take("labels") or {}).items() if not _of_others(str(key))}
    if labels:
        said.kubernetes["labels"] = labels
    agents = str(pod.get("serviceAccountName") or "default")
    account = told.text("service_account_name")
    if account and account != agents:
        said.kubernetes["codeAccount"] = {"name": account}
        said.remark("kept", "account of code", account)
    else:
        said.remark(
            "changes",
            "account of code",
            f"code ran with the agent's own account {agents}, which may start and stop every pod of the namespace; it "
            "gets one of its own, without a token of the cluster. Code that starts pods itself needs `stepPods`",
        )
        _annotations(said, found, agents)


def _annotations(said: AgentSettings, found: FoundInCluster, account: str) -> None:
    """By them a cloud gave the account a role, which code relies on."""
    for each in found.accounts:
        about = _mapping(each.get("metadata"))
        kept = {
            str(key): str(value)
            for key, value in _mapping(about.get("annotations")).items()
            if not str(key).startswith(("meta.helm.sh/", "kubectl.kubernetes.io/", "kubernetes.io/"))
        }
        if about.get("name") == account and kept:
            said.kubernetes["codeAccount"] = {"annotations": kept}
            said.remark(
                "changes",
                "role in the cloud",
                f"{', '.join(sorted(kept))}: the account of code bears it now, under another name, which the role's "
                "trust has to allow",
            )


def _of_others(key: str) -> bool:
    return key.startswith(_LABELS_OF_OTHERS)


def _token_secrets(pod: Mapping[str, Any]) -> set[str]:
    """The Secrets by which the agent has its token."""
    container, found = _container(pod), set()
    for entry in container.get("env") or ():
        reference = _mapping(_mapping(_mapping(entry).get("valueFrom")).get("secretKeyRef"))
        if _mapping(entry).get("name") == TOKEN and reference.get("name"):
            found.add(str(reference["name"]))
    sources = [_mapping(_mapping(entry).get("secretRef")).get("name") for entry in container.get("envFrom") or ()]
    return found or {str(name) for name in sources if name}


def _plain_variables(pod: Mapping[str, Any]) -> dict[str, str]:
    entries = [_mapping(entry) for entry in _container(pod).get("env") or ()]
    return {str(entry["name"]): str(entry["value"]) for entry in entries if entry.get("name") and "value" in entry}


def _container(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    containers = pod.get("containers")
    return _mapping(containers[0]) if isinstance(containers, list) and containers else {}


def _pod(deployment: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(_mapping(_mapping(deployment.get("spec")).get("template")).get("spec"))


def _name(deployment: Mapping[str, Any]) -> str:
    return str(_mapping(deployment.get("metadata")).get("name") or "?")


def _mapping(said: Any) -> Mapping[str, Any]:
    return said if isinstance(said, Mapping) else {}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
