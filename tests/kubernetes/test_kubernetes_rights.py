"""What hybrid itself asks of a cluster, and of whom, on a real API server: rights to give, images of all namespaces,
what `down` takes with it in a namespace of several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import kubernetes
import pytest
from kubernetes.client import ApiException

from hybrid.kubernetes import made, rights
from hybrid.kubernetes.errors import KubernetesDenied
from hybrid.kubernetes.rights import Right
from hybrid.kubernetes.session import Cluster
from hybrid.platforms.kubernetes_place import KubernetesPlace
from tests.kubernetes.paper_cluster import PaperCluster

pytestmark = [pytest.mark.contracts, pytest.mark.slow, pytest.mark.timeout(600)]

HOME: Final = "shared"
_RBAC: Final = "rbac.authorization.k8s.io"


@pytest.fixture(scope="module")
def home(paper_cluster: PaperCluster) -> Iterator[str]:
    with paper_cluster.namespace(HOME):
        yield HOME


@pytest.fixture(scope="module")
def place(paper_cluster: PaperCluster, home: str) -> KubernetesPlace:
    return KubernetesPlace(
        stack="prod", base="hybrid-prod", context=paper_cluster.context, kubeconfig=str(paper_cluster.kubeconfig),
        server=None, namespaces=(home,), adopts_namespace=True, isolates=True, step_pods=True,
        deployment="hybrid-prod-agent",
    )  # fmt: skip


def rule(right: Right) -> dict[str, Any]:
    return {"apiGroups": [right.group], "resources": [right.resource], "verbs": list(right.verbs)}


def somebody(cluster: PaperCluster, name: str, *rules: dict[str, Any]) -> Cluster:
    """Who has these rules in the namespace, and no others."""
    about = {"name": name, "namespace": HOME}
    cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about},
        {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": about, "rules": list(rules)},
        {"apiVersion": f"{_RBAC}/v1", "kind": "RoleBinding", "metadata": about,
         "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
         "subjects": [{"kind": "ServiceAccount", **about}]},
    )  # fmt: skip
    found = Cluster(str(cluster.kubeconfig_of(HOME, name)))
    pods = Right(("list",), "", "pods", HOME, "look")
    cluster.until(lambda: not rights.missing_rights(found, [pods]), seconds=30, what="the API server has read the Role")
    return found


def needed(place: KubernetesPlace) -> list[Right]:
    return rights.rights_of_stack(place.namespaces, makes_namespace=False)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("has-what-it-gives", lambda place: [rule(right) for right in place.given()]),
        ("stands-above", lambda _: [{"apiGroups": [_RBAC], "resources": ["roles"], "verbs": ["escalate", "bind"]}]),
    ],
)
def test_who_is_refused_nothing_makes_the_agents_role(
    name: str, more: Callable[[Any], list[dict[str, Any]]], paper_cluster: PaperCluster, place: KubernetesPlace
) -> None:
    who = somebody(paper_cluster, name, *[rule(right) for right in needed(place)], *more(place))

    assert place.refusal(who) is None
    assert makes(paper_cluster, place, name), "and the API server agrees"


def test_who_lacks_what_the_agent_gets_is_told_before_and_could_not_make_its_role(
    paper_cluster: PaperCluster, place: KubernetesPlace
) -> None:
    who = somebody(paper_cluster, "lacks", *[rule(right) for right in needed(place)])

    refusal = place.refusal(who)

    assert refusal is not None
    assert f"create services in {HOME}: to give it to the agent" in (refusal.why or "")
    assert "`escalate` and `bind`" in (refusal.why or "")
    assert not makes(paper_cluster, place, "lacks"), "it is not said in vain"


def makes(cluster: PaperCluster, place: KubernetesPlace, name: str) -> bool:
    """Whether that identity makes a Role with the agent's rules, and binds it."""
    api = kubernetes.client.RbacAuthorizationV1Api(cluster.client(cluster.folder / f"{HOME}-{name}.kubeconfig"))
    about = {"metadata": {"name": f"made-by-{name}"}}
    binding = {"roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": f"made-by-{name}"},
               "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": HOME}]}  # fmt: skip
    try:
        api.create_namespaced_role(HOME, {**about, "rules": [rule(right) for right in place.given()]})
        api.create_namespaced_role_binding(HOME, {**about, **binding})
    except ApiException as error:
        if error.status != 403:
            raise
        return False
    return True


def test_images_of_all_namespaces_are_in_use_and_who_may_not_see_them_is_told(
    paper_cluster: PaperCluster, home: str
) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "r.test/nightly:1"}]}}
    with paper_cluster.namespace("neighbour") as neighbour:
        kubernetes.client.BatchV1Api(paper_cluster.client()).create_namespaced_cron_job(
            neighbour,
            {"metadata": {"name": "nightly"},
             "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}},
        )  # fmt: skip

        used = dict(made.images_in(Cluster(str(paper_cluster.kubeconfig))))

        assert used["r.test/nightly:1"] == "the cron job neighbour/nightly", "though it has no pod now"
        home_only = somebody(paper_cluster, "home-only", {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]})
        with pytest.raises(KubernetesDenied, match="may not list the deployments of all namespaces"):
            list(made.images_in(home_only))
