"""An agent that is a Deployment in a cluster, such as one of Dagster's Helm chart, as the cluster tells it. Contents of
Secrets are never asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hybrid.adopt.kubernetes_settings import FoundInCluster
from hybrid.errors import UsageError
from hybrid.kubernetes.kinds import CONFIG_MAP, DEPLOYMENT, POD, SERVICE_ACCOUNT
from hybrid.kubernetes.labels import of_launcher
from hybrid.kubernetes.session import Cluster
from hybrid.kubernetes.workloads import thing_of

_AGENT_IMAGE: Final = "dagster-cloud-agent"
_SETTINGS_FILE: Final = "dagster.yaml"
_COMMAND: Final = "dagster-cloud agent run"


def read_agent(cluster: Cluster, context: str, namespace: str, name: str) -> FoundInCluster:
    """The agent's Deployment with its settings. Raises ``UsageError`` when there is none of the name, or its settings
    are not in a ConfigMap, and ``KubernetesError``."""
    found = cluster.find(DEPLOYMENT, namespace, name)
    if found is None:
        raise UsageError(
            f"There is no Deployment '{name}' in the namespace '{namespace}'.",
            next_step=f"`kubectl --context {context} -n {namespace} get deployments` lists them.",
        )
    return FoundInCluster(
        context=context,
        namespace=namespace,
        deployment=found,
        dagster_yaml=_settings(cluster, namespace, found),
        accounts=cluster.listed(SERVICE_ACCOUNT, namespace),
    )


def the_agent_of(cluster: Cluster, namespace: str | None) -> tuple[str, str]:
    """Namespace and name of the one agent of a namespace, or of the whole cluster. Raises ``UsageError`` when there is
    none, or more than one, and ``KubernetesError``."""
    listed = cluster.listed(DEPLOYMENT, namespace or "")
    things = [thing_of(one) for one in listed if _is_agent(one)]
    found = sorted((one.namespace, one.name) for one in things if not of_launcher(one.labels))
    if len(found) == 1:
        return found[0]
    where = f"namespace '{namespace}'" if namespace else "cluster"
    if found:
        raise UsageError(
            f"The {where} has several agents: {', '.join(f'{space}/{name}' for space, name in found)}.",
            next_step="say which one with --namespace and --agent; each becomes a stack of its own.",
        )
    raise UsageError(
        f"No Deployment of the {where} looks like an agent.",
        why="None runs Dagster's agent image or `dagster-cloud agent run`.",
        next_step="name it with --namespace and --agent, or go without an agent: --no-agent.",
    )


def digests_in(cluster: Cluster, namespace: str) -> dict[str, str]:
    """Of the images that run in a namespace by a tag, the digests that their nodes have pulled; none for a tag that
    stands for several. Raises ``KubernetesError``."""
    seen: dict[str, set[str]] = {}
    for pod in cluster.listed(POD, namespace):
        images = {
            one.get("name"): str(one.get("image") or "") for one in (pod.get("spec") or {}).get("containers") or ()
        }
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            digest = str(status.get("imageID") or "").rpartition("@")[2]
            if digest.startswith("sha256:") and (image := images.get(status.get("name"))):
                seen.setdefault(image, set()).add(digest)
    return {image: next(iter(digests)) for image, digests in seen.items() if len(digests) == 1}


def _settings(cluster: Cluster, namespace: str, deployment: Mapping[str, Any]) -> str:
    for name in _config_maps(deployment):
        found = cluster.find(CONFIG_MAP, namespace, name)
        text = ((found or {}).get("data") or {}).get(_SETTINGS_FILE)
        if isinstance(text, str):
            return text
    raise UsageError(
        f"The settings of the agent '{thing_of(deployment).name}' are in no ConfigMap that it mounts.",
        why=f"None has the key {_SETTINGS_FILE}; they may be inside of its image.",
        next_step="adopt its locations with --no-agent, and write hybrid:agent by hand.",
    )


def _config_maps(deployment: Mapping[str, Any]) -> Iterator[str]:
    for volume in _pod(deployment).get("volumes") or ():
        name = (volume.get("configMap") or {}).get("name")
        if name:
            yield str(name)


def _is_agent(deployment: Mapping[str, Any]) -> bool:
    for container in _pod(deployment).get("containers") or ():
        said = " ".join(map(str, (*(container.get("command") or ()), *(container.get("args") or ()))))
        if _AGENT_IMAGE in str(container.get("image")) or _COMMAND in said:
            return True
    return False


def _pod(deployment: Mapping[str, Any]) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    return spec
