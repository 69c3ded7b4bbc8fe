"""`down` in a namespace that others use, too: all that this stack's launcher made goes, and nothing of a neighbour's,
though he has agents of Dagster+ and a location of the same name. The objects are the launcher's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, Final

import pytest

from agent.kubernetes_names import KubernetesNames
from hybrid.kubernetes import made
from hybrid.kubernetes.labels import state_config_map
from hybrid.provider import kubernetes_drain
from hybrid.provider.kubernetes_drain import KubernetesDrain
from hybrid.provider.kubernetes_place import Doors
from hybrid.provider.resource import Call
from tests.kubernetes.launcher_at_work import LauncherAtWork, launcher_at_work
from tests.kubernetes.paper_cluster import PaperCluster

pytestmark = [pytest.mark.contracts, pytest.mark.slow, pytest.mark.timeout(600)]

OURS: Final = KubernetesNames.of("ours", namespace="shared")
THEIRS: Final = KubernetesNames.of("theirs", namespace="shared")
Things = set[tuple[str, str]]


class Silent:
    """A report that nobody reads."""

    def status(self, text: str) -> None: ...
    def info(self, text: str) -> None: ...
    def warning(self, text: str) -> None: ...


@pytest.fixture
def shared(paper_cluster: PaperCluster) -> Iterator[PaperCluster]:
    with paper_cluster.namespace("shared"):
        for names in (OURS, THEIRS):
            account = {"name": names.code, "namespace": "shared"}
            paper_cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
        yield paper_cluster


@pytest.fixture
def agents(
    shared: PaperCluster, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, LauncherAtWork]]:
    """``before`` is the same stack's, of before its agent was started anew."""
    with ExitStack() as opened:
        yield {
            who: opened.enter_context(
                launcher_at_work(tmp_path_factory.mktemp(who), shared.kubeconfig, monkeypatch, names)
            )
            for who, names in {"ours": OURS, "before": OURS, "theirs": THEIRS}.items()
        }


def things(cluster: PaperCluster) -> Things:
    """Kind and name of all that is there and not about to go; replica sets and pods follow."""
    core, apps, batch = cluster.core(), cluster.apps(), cluster.batch()
    listed: dict[str, Any] = {
        "deployment": apps.list_namespaced_deployment, "service": core.list_namespaced_service,
        "config map": core.list_namespaced_config_map, "job": batch.list_namespaced_job,
        "secret": core.list_namespaced_secret, "account": core.list_namespaced_service_account,
    }  # fmt: skip
    return {
        (kind, one.metadata.name)
        for kind, ask in listed.items()
        for one in ask("shared").items
        if not one.metadata.deletion_timestamp
    }


def test_down_takes_what_the_launcher_made_and_nothing_of_a_neighbour(
    shared: PaperCluster, agents: dict[str, LauncherAtWork], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "_BETWEEN", timedelta(0))
    monkeypatch.setattr(kubernetes_drain, "_POLL", 0.2)
    theirs = agents["theirs"]
    theirs.serve("hello")
    theirs.launch()
    shared.core().create_namespaced_config_map("shared", {"metadata": {"name": "of-an-app"}, "data": {}})
    shared.core().create_namespaced_secret("shared", {"metadata": {"name": "of-an-app"}})
    neighbours = things(shared)
    agents["ours"].serve("hello")
    agents["ours"].launch()
    cut_off = agents["before"].serve("hello")  # its agent ended between a config map and the Deployment
    shared.apps().delete_namespaced_deployment(cut_off.name, "shared")
    shared.core().delete_namespaced_service(cut_off.name, "shared")
    assert ("config map", state_config_map(cut_off.name)) in things(shared)

    given = kubernetes_drain.DEFINITION.complete({
        "kubeconfig": str(shared.kubeconfig), "context": shared.context, "namespaces": ["shared"],
        "agent": OURS.agent, "stack": OURS.base, "ownsNamespace": False, "runs": "terminate", "timeoutSeconds": 120,
    })  # fmt: skip
    KubernetesDrain(Doors()).delete("shared/ours", given, {}, Call(report=Silent(), cancelled=threading.Event()))

    assert things(shared) - neighbours == set(), "nothing of the stack is left behind"
    assert neighbours - things(shared) == set(), "and nothing of a neighbour is gone"
    assert shared.core().list_namespaced_pod("shared", label_selector=f"hybrid.dagster/stack={OURS.base}").items == []
