"""What the agent may do in its namespace, rule by rule, each with its reason. docs/kubernetes.md has them as a table,
which a test holds to these.

Which calls the agent makes was read in dagster_cloud/workspace/kubernetes/{launcher,utils}.py and
dagster_k8s/{client,launcher,job}.py of the pinned versions, and seen in the audit log of a real API server; that each
verb is needed is shown by taking it away (tests/kubernetes/test_kubernetes_least_rights.py). No rule reads a Secret,
watches, patches, or reaches beyond the namespace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rule:
    """One rule of a Role."""

    group: str
    """The API group; empty: the core one."""
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str

    def document(self) -> dict[str, Any]:
        """As a Role has it."""
        return {"apiGroups": [self.group], "resources": list(self.resources), "verbs": list(self.verbs)}


AGENT_RULES: tuple[Rule, ...] = (
    Rule(
        "apps",
        ("deployments",),
        ("create", "get", "list", "delete"),
        "A code server is a Deployment: made, looked at until it runs, found again after a restart, removed.",
    ),
    Rule(
        "apps",
        ("replicasets",),
        ("list",),
        "Why a code server has no pod, such as a quota, stands in the events of its ReplicaSet.",
    ),
    Rule(
        "",
        ("services",),
        ("create", "delete"),
        "The name by which the agent reaches a code server.",
    ),
    Rule(
        "",
        ("configmaps",),
        ("create", "update", "list", "delete"),
        "The state of definitions that a code server starts with, one ConfigMap each; without it code is loaded anew"
        " where a reload would do.",
    ),
    Rule(
        "",
        ("pods",),
        ("list", "delete"),
        "Whether the pod of a code server or a run is there and why not; delete ends the pods of a run that is"
        " terminated.",
    ),
    Rule(
        "",
        ("pods/log",),
        ("get",),
        "The last lines of a pod that failed go into the error that people read.",
    ),
    Rule(
        "",
        ("events",),
        ("list",),
        "Why a pod does not start stands in its events.",
    ),
    Rule(
        "batch",
        ("jobs",),
        ("create", "list", "delete"),
        "A run is a Job: made, found for its error's text, deleted when the run is terminated.",
    ),
    Rule(
        "batch",
        ("jobs/status",),
        ("get",),
        "Whether the Job of a run has failed without telling Dagster+.",
    ),
)
"""For the agent's service account, in its namespace and in those that locations have of their own."""

STEP_RULES: tuple[Rule, ...] = (
    Rule(
        "batch",
        ("jobs",),
        ("create", "get", "list", "delete"),
        "A step is a Job: made, looked at, deleted when its run is terminated.",
    ),
    Rule("batch", ("jobs/status",), ("get",), "Whether a step's Job has failed."),
    Rule("", ("pods",), ("create", "get", "list", "delete"), "Pods of steps and of Pipes: made, waited for, removed."),
    Rule("", ("pods/log",), ("get",), "What a pod that was started says."),
    Rule("", ("events",), ("list",), "Why a step's pod does not start."),
)
"""For the service account of code, where `stepPods` is true."""
