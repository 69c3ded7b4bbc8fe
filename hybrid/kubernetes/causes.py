"""The likely causes of what keeps pods from running, each with what the reader does next. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Cause:
    """A likely cause: ``kind`` for programs, ``what`` one sentence, ``next_step`` what the reader does now.

    ``passing``: the cluster tries again by itself, and that may well do.
    """

    kind: str
    what: str
    next_step: str
    passing: bool = False


_WAIT: Final = "wait: the cluster tries again."
_COMMAND: Final = "look at the image's entry point and command, and whether that file is there and executable."
_ROUTE: Final = "look at NetworkPolicies of the namespace, at the nodes' way out (NAT, proxy) and at the cluster's DNS."

ARCHITECTURE: Final = Cause(
    "architecture",
    "The image is for another CPU architecture than the node.",
    "build it for the nodes' (`kubectl get nodes -L kubernetes.io/arch`), or choose nodes by `node_selector`.",
)
IMAGE_MISSING: Final = Cause(
    "image missing",
    "The image is not in its registry.",
    "push it, or correct its name; by digest, it may have been removed by a clean-up rule.",
)
IMAGE_NAME: Final = Cause("image name", "The image's name is none that a registry could have.", "correct it.")
PULL_PERMISSION: Final = Cause(
    "pull permission",
    "The registry does not give the image to the node.",
    "name a pull secret of this namespace in the stack (`image_pull_secrets`), or grant the nodes' identity to pull.",
)
PULL_LIMIT: Final = Cause(
    "pull limit",
    "The registry limits how many images may be pulled without a login.",
    "give a pull secret, or mirror the image to a registry of your own.",
)
NO_ROUTE_TO_REGISTRY: Final = Cause(
    "no route",
    "The node has no way to the image's registry.",
    f"{_ROUTE} A registry on this machine is not reached by nodes under its local name. Where the agent's own image is "
    "out of reach, `hybrid:agent.mirrorImage: true` puts it into the stack's registry.",
)
REGISTRY_CERTIFICATE: Final = Cause(
    "registry certificate",
    "The node does not trust the registry's certificate, or the registry speaks plain HTTP.",
    "have the nodes' container runtime trust it.",
)
PULL: Final = Cause("pull", "The image cannot be pulled.", "look at its name, its registry and the words above.")
PULL_BROKEN: Final = Cause("pull broken", "The pull of the image was cut.", _WAIT, passing=True)
NEVER_PULLED: Final = Cause(
    "never pulled",
    "The image is not on the node, and the pull policy is Never.",
    "set the pull policy to IfNotPresent, or load the image onto each node.",
)
SECRET_MISSING: Final = Cause(
    "secret missing",
    "A Secret, or a key of one, that the pod needs is not there.",
    "create it in the pod's namespace, or correct its name where the stack or the location names it.",
)
CONFIG_MAP_MISSING: Final = Cause(
    "config map missing",
    "A ConfigMap, or a key of one, that the pod needs is not there.",
    "create it in the pod's namespace, or correct its name where the stack or the location names it.",
)
ACCOUNT_MISSING: Final = Cause(
    "service account missing",
    "The pod's service account is not there.",
    "create it in the pod's namespace, or correct `service_account_name`; `up` with `--refresh` makes the stack's.",
)
USER: Final = Cause(
    "user",
    "The pod must not run as root, and its image would.",
    "set `run_as_user` in the security context, or USER with a number in the image's Dockerfile.",
)
CONTAINER: Final = Cause("container", "The container cannot be made as it is described.", "mend what is named above.")
START: Final = Cause("start", "The container's program could not be started.", _COMMAND)
CRASH: Final = Cause(
    "crash", "The program crashed (segmentation fault).", "look at its log and at its native libraries."
)
MEMORY: Final = Cause(
    "memory",
    "The container took more memory than its limit.",
    "raise `resources.limits.memory` (of the agent, or of the location's `server_k8s_config` or `run_k8s_config`), or "
    "have it need less.",
)
KILLED: Final = Cause(
    "killed",
    "The container was killed: by memory, by its liveness probe, or since it did not end in time.",
    "look at its log and its events; raise `resources.limits.memory` when it grows.",
)
ROOM: Final = Cause(
    "room",
    "No node has room for the pod.",
    "ask for less (`resources.requests`), add nodes, or wait for the autoscaler, if the cluster has one.",
    passing=True,
)
NODES: Final = Cause(
    "nodes",
    "No node is one that the pod may run on.",
    "correct `node_selector`, affinity or tolerations, or add such nodes.",
)
CLAIM: Final = Cause(
    "volume claim",
    "A volume claim of the pod is not there, or not bound.",
    "look at `kubectl get pvc`: its storage class, its zone, and whether another pod holds it.",
)
VOLUME: Final = Cause(
    "volume", "A volume could not be mounted.", "look at the volume's driver, its node and the words above."
)
QUOTA: Final = Cause(
    "quota",
    "A quota of the namespace is used up, or asks for resources that the pod does not name.",
    "raise the ResourceQuota (`kubectl describe quota`), or set `resources` with requests and limits.",
)
LIMIT_RANGE: Final = Cause(
    "limit range",
    "The pod's resources are outside of the namespace's LimitRange.",
    "keep `resources` within it (`kubectl describe limitrange`).",
)
POD_SECURITY: Final = Cause(
    "pod security",
    "The namespace's Pod Security Standard, or another admission rule, does not admit the pod.",
    "set what is named in the security context, or have the namespace's label or the rule changed.",
)
ADDRESSES: Final = Cause(
    "network",
    "The node could not give the pod a network, often for want of addresses.",
    "look at the cluster's network plugin and its subnets.",
    passing=True,
)
EVICTED: Final = Cause(
    "evicted",
    "The node was short of memory or disk and put the pod out.",
    "set requests near to what it needs, so that it gets a node with room; look at ephemeral storage.",
)
MOVED: Final = Cause(
    "moved", "The node went, was drained or gave way to a pod of higher priority.", _WAIT, passing=True
)
DEADLINE: Final = Cause(
    "deadline",
    "The pod ran longer than its `active_deadline_seconds`.",
    "raise that in `run_k8s_config.job_spec_config`, or have the run need less time.",
)
HEALTH: Final = Cause(
    "health",
    "The container runs, and its probe fails.",
    "look at its log; an agent is ready when it has tried to load each location once.",
)
VARIABLE: Final = Cause(
    "variable missing",
    "The program needs an environment variable that the pod does not have.",
    "name it among the launcher's `env_vars` or `env_secrets`.",
)
WRONG_TOKEN: Final = Cause(
    "wrong token",
    "Dagster+ does not accept the agent's token.",
    "look whether it was revoked, and whether its grants name this deployment; `hybrid agent rotate-token STACK` makes "
    "another.",
)
SETTINGS: Final = Cause(
    "settings", "Dagster refuses a setting in the agent's dagster.yaml.", "correct `hybrid:agent` as the log says."
)
RIGHTS: Final = Cause(
    "rights",
    "The agent's Role does not let it do what it has to.",
    "`up` with `--refresh` makes the stack's Role again; a location in a namespace of its own needs a Role and a "
    "binding there.",
)
NO_ROUTE_TO_DAGSTER: Final = Cause("no route", "The pod has no way to Dagster+.", _ROUTE)
IMPORT: Final = Cause(
    "import", "The code imports what its image does not have.", "add it to the location's requirements."
)
ENDED: Final = Cause("ended", "The container's program ended by itself.", "look at its log.")
BEGINNING: Final = Cause("beginning", "The pod is being started.", _WAIT, passing=True)
UNKNOWN: Final = Cause("unknown", "The cluster does not say why.", "look at `kubectl describe pod`.")
