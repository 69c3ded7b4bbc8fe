"""What this identity may do in a cluster, asked before anything is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hybrid.kubernetes.errors import KubernetesDenied
from hybrid.kubernetes.session import Cluster

_API: Final = "authorization.k8s.io/v1"


@dataclass(frozen=True)
class Right:
    """Verbs on one resource, as a Role has them: ``resource`` may name a part (``pods/log``). ``namespace`` empty: of
    the whole cluster. ``purpose`` completes "so that a stack can …"."""

    verbs: tuple[str, ...]
    group: str
    resource: str
    namespace: str
    purpose: str


def missing_rights(cluster: Cluster, rights: Sequence[Right]) -> list[Right]:
    """Of each right the verbs that this identity lacks, by the cluster's own authorizer, which everybody may ask.

    One question a namespace tells most of it (SelfSubjectRulesReview); what its answer does not have is asked one by
    one, since it need not be whole: authorizers outside of the cluster have no such list. Raises ``KubernetesError``
    when the cluster cannot be asked.
    """
    rules = {namespace: _rules(cluster, namespace) for namespace in {right.namespace for right in rights} if namespace}
    found = []
    for right in rights:
        listed = rules.get(right.namespace, [])
        unsaid = [verb for verb in right.verbs if not any(_covers(rule, right, verb) for rule in listed)]
        found.append((right, tuple(verb for verb in unsaid if not _allowed(cluster, right, verb))))
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


def rights_of_stack(namespaces: Sequence[str], *, makes_namespace: bool, isolates: bool = True) -> list[Right]:
    """What `up` and `down` need: for what Pulumi makes in each of ``namespaces``, the first of which is the agent's,
    for the drain, and for looking why something does not run. ``isolates``: a NetworkPolicy is made.

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
        if isolates:
            made.append(("networking.k8s.io", "networkpolicies", "keep others from code servers"))
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
        "apiVersion": _API,
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {**asked, **({"subresource": part} if part else {})}},
    }
    told = cluster.ask("say what this identity may do", f"/apis/{_API}/selfsubjectaccessreviews", body)
    return bool((told.get("status") or {}).get("allowed"))


def _rules(cluster: Cluster, namespace: str) -> list[Mapping[str, Any]]:
    body = {"apiVersion": _API, "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    told = cluster.ask("say what this identity may do", f"/apis/{_API}/selfsubjectrulesreviews", body)
    return list((told.get("status") or {}).get("resourceRules") or [])


def _covers(rule: Mapping[str, Any], right: Right, verb: str) -> bool:
    """Whether a rule gives a verb on all objects of a resource."""
    wanted = {"verbs": verb, "apiGroups": right.group, "resources": right.resource}
    part = right.resource.partition("/")[2]
    spelled = {"*", f"*/{part}"} if part else {"*"}
    return not rule.get("resourceNames") and all(
        {*(rule.get(key) or ())} & {value, *(spelled if key == "resources" else {"*"})} for key, value in wanted.items()
    )


def _where(right: Right) -> str:
    return f" in {right.namespace}" if right.namespace else " of the cluster"
