"""What this identity may do in a cluster, asked before anything is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from hybrid.kubernetes.errors import KubernetesDenied
from hybrid.kubernetes.session import Cluster

_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True)
class Right:
    """Verbs on one resource, as a Role has them: ``resource`` may name a part (``pods/log``). ``namespace`` empty: of
    the whole cluster. ``purpose`` completes "so that a stack can …"."""

    verbs: tuple[str, ...]
    group: str
    resource: str
    namespace: str
    purpose: str


def missing_rights(cluster: Cluster, rights: Iterable[Right]) -> list[Right]:
    """Of each right the verbs that this identity lacks, by the cluster's own authorizer (SelfSubjectAccessReview,
    which everybody may ask). Raises ``KubernetesError`` when the cluster cannot be asked."""
    found = [(right, tuple(verb for verb in right.verbs if not _allowed(cluster, right, verb))) for right in rights]
    return [
        Right(verbs, right.group, right.resource, right.namespace, right.purpose) for right, verbs in found if verbs
    ]


def refused_by(missing: Sequence[Right], server: str) -> KubernetesDenied:
    """The error that says all that is missing, before anything is made."""
    lines = [f"{', '.join(right.verbs)} {right.resource}{_where(right)}: to {right.purpose}" for right in missing]
    return KubernetesDenied(
        f"This identity lacks rights in the cluster at {server} that the stack needs.",
        why="\n".join([*lines, "Nothing was made."]),
        next_step="take a context that may, or have a Role with these bound to it (`kubectl auth can-i --list`).",
    )


def rights_of_stack(namespaces: Sequence[str], *, makes_namespace: bool) -> list[Right]:
    """What `up` and `down` need: for what Pulumi makes in each of ``namespaces``, the first of which is the agent's,
    for the drain, and for looking why something does not run.

    Who gives an agent rights must have them, or be allowed to ``escalate``, which is not asked here
    (kubernetes.io/docs/reference/access-authn-authz/rbac, privilege escalation prevention).
    """
    whole = ("get", "create", "patch", "delete")
    found = [Right(whole, "", "namespaces", "", "make its namespace")] if makes_namespace else []
    for index, namespace in enumerate(dict.fromkeys(namespaces)):
        made = [
            ("", "serviceaccounts", "make the accounts of agent and code"),
            ("", "secrets", "keep the agent's token"),
            ("rbac.authorization.k8s.io", "roles", "give the agent its rights"),
            ("rbac.authorization.k8s.io", "rolebindings", "give the agent its rights"),
        ]
        if index == 0:
            made += [
                ("", "configmaps", "keep the agent's settings"),
                ("apps", "deployments", "run the agent"),
                ("policy", "poddisruptionbudgets", "keep an agent while nodes are drained"),
            ]
        found += [Right(whole, group, resource, namespace, purpose) for group, resource, purpose in made]
        found += _of_looks(namespace)
    return found


def _of_looks(namespace: str) -> list[Right]:
    drain, why = "remove what the agent left", "say why something does not run"
    listed = (("apps", "deployments"), ("", "services"), ("", "configmaps"), ("batch", "jobs"), ("", "pods"))
    found = [Right(("list", "delete"), group, resource, namespace, drain) for group, resource in listed]
    looks = (("", "events"), ("apps", "replicasets"))
    found += [Right(("list",), group, resource, namespace, why) for group, resource in looks]
    return [*found, Right(("get",), "", "pods/log", namespace, why)]


def _allowed(cluster: Cluster, right: Right, verb: str) -> bool:
    resource, _, part = right.resource.partition("/")
    asked = {"namespace": right.namespace, "verb": verb, "group": right.group, "resource": resource}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {**asked, **({"subresource": part} if part else {})}},
    }
    told = cluster.ask("say what this identity may do", _REVIEWS, body)
    return bool((told.get("status") or {}).get("allowed"))


def _where(right: Right) -> str:
    return f" in {right.namespace}" if right.namespace else " of the cluster"
