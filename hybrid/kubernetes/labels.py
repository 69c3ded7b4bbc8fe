"""Labels by which what belongs to a stack is told from what does not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

STACK_LABEL: Final = "hybrid.dagster/stack"
"""On everything of a stack that can bear it, be it made by Pulumi or by the agent's launcher (its ``labels``)."""

MANAGED_BY_LABEL: Final = "managed_by"
LAUNCHER: Final = "K8sUserCodeLauncher"
AGENT_LABEL: Final = "agent_id"
LOCATION_LABEL: Final = "location_name"
LOCATION_HASH_LABEL: Final = "location_hash"
SERVER_LABEL: Final = "user-deployment"
"""On pods of code servers: the name of their Deployment."""
# Set by the launcher: dagster_cloud/workspace/kubernetes/utils.py

RUN_LABEL: Final = "dagster/run-id"
JOB_LABEL: Final = "dagster/job"
# On Jobs and pods of runs: dagster_k8s/job.py and launcher.py

_STATE_PREFIX: Final = "dagster-defs-state-"


def selector(labels: Mapping[str, str]) -> str:
    """Labels as a query of Kubernetes; an empty value asks only whether the label is there."""
    return ",".join(f"{name}={value}" if value else name for name, value in labels.items())


def of_launcher(labels: Mapping[str, str]) -> bool:
    """Whether an agent's launcher made it as part of a code server."""
    return labels.get(MANAGED_BY_LABEL) == LAUNCHER


def location_hash(deployment: str, location: str) -> str:
    """The value of ``LOCATION_HASH_LABEL`` (``deterministic_label_for_location`` in
    dagster_cloud/workspace/user_code_launcher/utils.py). ``deployment``: of the full or the branch deployment."""
    return hashlib.sha1(f"{deployment}-{location}".encode(), usedforsecurity=False).hexdigest()


def state_config_map(server: str) -> str:
    """The name of the ConfigMap that belongs to the code server ``server``, the name of its Deployment
    (``defs_state_config_map_name`` in dagster_cloud/workspace/kubernetes/utils.py). The launcher gives it no labels of
    ours, so its name says whose it is."""
    return _STATE_PREFIX + hashlib.sha1(server.encode(), usedforsecurity=False).hexdigest()


def is_state_config_map(name: str) -> bool:
    """Whether ``name`` is that of a code server's ConfigMap."""
    return name.startswith(_STATE_PREFIX)
