"""What this identity may do in a cluster, asked before anything is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hybrid.kubernetes.errors import KubernetesDenied
from hybrid.kubernetes.session import Cluster

_API: Final = "authorization.k8s.io/v1"
_RBAC: Final = "rbac.authorization.k8s.io"
_KEPT: Final = ("get", "create", "patch", "delete")
_WATCHED: Final = (*_KEPT, "list", "watch")
"""Pulumi waits for the end of what it deletes by a list and a watch, and without them for ever, though it is gone
(pkg/await/await.go `Deletion` and informers/factory.go `Subscribe` of pulumi-kubernetes 4). Not of the agent's
Deployment, which is annotated ``pulumi.com/skipAwait``; of other kinds that says nothing there."""
_NOT_AWAITED: Final = "deployments"


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


def ungivable_rights(cluster: Cluster, given: Sequence[Right]) -> list[Right]:
    """Of the rights that a stack gives, those that this identity may not give: it has not got them, and may not
    ``escalate`` and ``bind`` roles in that namespace either
    (kubernetes.io/docs/reference/access-authn-authz/rbac, privilege escalation prevention). Raises
    ``KubernetesError`` when the cluster cannot be asked."""
    lacking = missing_rights(cluster, given)
    namespaces = {right.namespace for right in lacking}
    above = {one for one in namespaces if not missing_rights(cluster, [_above(one)])}
    return [right for right in lacking if right.namespace not in above]


def refused_by(missing: Sequence[Right], server: str, ungivable: Sequence[Right] = ()) -> KubernetesDenied:
    """The error that says all that is missing, before anything is made. ``ungivable``: see ``ungivable_rights``."""
    lines = [
        f"{', '.join(right.verbs)} {right.resource}{_where(right)}: to {right.purpose}"
        for right in (*missing, *ungivable)
    ]
    if ungivable:
        lines.append("Who gives rights must have them, or may `escalate` and `bind` roles there.")
    return KubernetesDenied(
        f"This identity lacks rights in the cluster at {server} that the stack needs.",
        why="\n".join([*lines, "Nothing was made."]),
        next_step="take a context that may, or have a Role with these bound to it (`kubectl auth can-i --list`).",
    )


def _above(namespace: str) -> Right:
    return Right(("escalate", "bind"), _RBAC, "roles", namespace, "give rights that it has not got itself")


def rights_of_stack(namespaces: Sequence[str], *, makes_namespace: bool, isolates: bool = True) -> list[Right]:
    """What `up` and `down` need: for what Pulumi makes in each of ``namespaces``, the first of which is the agent's,
    for the drain, and for looking why something does not run. ``isolates``: a NetworkPolicy is made. What the agent is
    given, `ungivable_rights` looks at.
    """
    found = [Right(_WATCHED, "", "namespaces", "", "make its namespace")] if makes_namespace else []
    for index, namespace in enumerate(dict.fromkeys(namespaces)):
        made = [
            ("", "serviceaccounts", "make the accounts of agent and code"),
            ("", "secrets", "keep the agent's token"),
            (_RBAC, "roles", "give the agent its rights"),
            (_RBAC, "rolebindings", "give the agent its rights"),
        ]
        if isolates:
            made.append(("networking.k8s.io", "networkpolicies", "keep others from code servers"))
        if index == 0:
            made += [
                ("", "configmaps", "keep the agent's settings"),
                ("apps", "deployments", "run the agent"),
                ("policy", "poddisruptionbudgets", "keep an agent while nodes are drained"),
            ]
        found += [
            Right(_KEPT if resource == _NOT_AWAITED else _WATCHED, group, resource, namespace, purpose)
            for group, resource, purpose in made
        ]
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
