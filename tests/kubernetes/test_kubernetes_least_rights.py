"""The agent's Role is the least that does: each verb of its rules is taken away in turn, and something that people
notice is missing. A real API server with RBAC decides; the agent's own launcher acts, as the agent's service account.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

import kubernetes
import pytest
from dagster._core.launcher import WorkerStatus
from dagster_k8s.client import DagsterK8sUnrecoverableAPIError
from kubernetes.client import ApiException

from agent.kubernetes_rules import AGENT_RULES
from hybrid.kubernetes.labels import state_config_map
from tests.kubernetes.launcher_at_work import NAMES, NOBODY, LauncherAtWork, launcher_at_work, life
from tests.kubernetes.paper_cluster import PaperCluster

pytestmark = [pytest.mark.contracts, pytest.mark.slow, pytest.mark.timeout(900)]

Verb = tuple[str, str, str]
"""Group, resource, verb."""
VERBS: Final = [
    (rule.group, resource, verb) for rule in AGENT_RULES for resource in rule.resources for verb in rule.verbs
]
_RBAC: Final = "rbac.authorization.k8s.io"
_USER: Final = f"system:serviceaccount:{NAMES.namespace}:{NAMES.agent}"
_numbers = itertools.count(1)


class Bench:
    """The namespace of a stack, and the Role of its agent."""

    def __init__(self, cluster: PaperCluster) -> None:
        self.cluster, self.lacking = cluster, set[Verb]()
        self.core, self.apps, self.batch = cluster.core(), cluster.apps(), cluster.batch()
        self._rbac = kubernetes.client.RbacAuthorizationV1Api(cluster.client())
        self._reviews = kubernetes.client.AuthorizationV1Api(cluster.client())
        named = {"namespace": NAMES.namespace}
        cluster.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAMES.agent, **named}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAMES.code, **named}},
            {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": {"name": NAMES.agent, **named},
             "rules": self._rules(set())},
            {"apiVersion": f"{_RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": NAMES.agent, **named},
             "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": NAMES.agent},
             "subjects": [{"kind": "ServiceAccount", "name": NAMES.agent, **named}]},
        )  # fmt: skip
        self._until(allowed=set(VERBS), denied=set())

    def take(self, *lacking: Verb) -> None:
        """Have all rules but these; the API server knows when this returns."""
        body = {"metadata": {"name": NAMES.agent}, "rules": self._rules(set(lacking))}
        self._rbac.replace_namespaced_role(NAMES.agent, NAMES.namespace, body)
        before, self.lacking = self.lacking, set(lacking)
        self._until(allowed=before - self.lacking, denied=self.lacking)

    def denied(self, since: int) -> set[Verb]:
        calls = self.cluster.calls(_USER)[since:]
        return {(call.group, call.resource, call.verb) for call in calls if not call.allowed}

    def asked(self) -> int:
        return len(self.cluster.calls(_USER))

    def events_about(self, name: str) -> list[Any]:
        return list(
            self.core.list_namespaced_event(NAMES.namespace, field_selector=f"involvedObject.name={name}").items
        )

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        return self.cluster.until(condition, seconds=60, what=what)

    def pods_of(self, **labels: str) -> list[Any]:
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        return list(self.core.list_namespaced_pod(NAMES.namespace, label_selector=selector).items)

    def state_maps(self) -> set[str]:
        return {one.metadata.name for one in self.core.list_namespaced_config_map(NAMES.namespace).items}

    def _rules(self, lacking: set[Verb]) -> list[dict[str, Any]]:
        found = []
        for rule in AGENT_RULES:
            kept = [verb for verb in rule.verbs if (rule.group, rule.resources[0], verb) not in lacking]
            if kept:
                found.append({**rule.document(), "verbs": kept})
        return found

    def _until(self, *, allowed: set[Verb], denied: set[Verb]) -> None:
        def known() -> bool:
            return all(map(self._may, allowed)) and not any(map(self._may, denied))

        self.until(known, "the API server has read the Role")

    def _may(self, one: Verb) -> bool:
        group, resource, verb = one
        main, _, part = resource.partition("/")
        about = {"namespace": NAMES.namespace, "verb": verb, "group": group, "resource": main, "subresource": part}
        review = {"spec": {"user": _USER, "resourceAttributes": about}}
        return bool(self._reviews.create_subject_access_review(review).status.allowed)


@pytest.fixture(scope="module")
def bench(paper_cluster: PaperCluster) -> Bench:
    paper_cluster.core().create_namespace({"metadata": {"name": NAMES.namespace}})
    return Bench(paper_cluster)


@pytest.fixture(scope="module")
def work(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LauncherAtWork]:
    kubeconfig = bench.cluster.kubeconfig_of(NAMES.namespace, NAMES.agent)
    with (
        pytest.MonkeyPatch.context() as patch,
        launcher_at_work(tmp_path_factory.mktemp("launcher"), kubeconfig, patch) as found,
    ):
        yield found


@pytest.fixture
def location() -> str:
    return f"place{next(_numbers)}"


# What an agent does. Each scene prepares with all rules, yields "", goes on with those that are left, and yields what
# people miss then.


def loading(work: LauncherAtWork, bench: Bench, location: str) -> Iterator[str]:
    yield ""
    try:
        work.load(location, config=life(after=3))  # longer than the launcher's first look at its pods
    except ApiException:
        yield "the location is not loaded"


def reloading(work: LauncherAtWork, bench: Bench, location: str) -> Iterator[str]:
    yield ""
    work.serve(location)
    if not work.reloads_in_place(location):
        yield "a reload of its definitions starts its server anew"
        return
    try:
        work.reload(location)
    except ApiException:
        yield "another state of its definitions is not taken"


def removing(work: LauncherAtWork, bench: Bench, location: str) -> Iterator[str]:
    name = work.serve(location).name
    yield ""
    try:
        work.clean_up()
    except ApiException:
        yield "an agent that ends leaves all it made"
    for what, found in (
        ("deployment", bench.apps.list_namespaced_deployment),
        ("service", bench.core.list_namespaced_service),
        ("config map", bench.core.list_namespaced_config_map),
    ):
        named = {name, state_config_map(name)}
        if any(
            one.metadata.name in named for one in found(NAMES.namespace).items if not one.metadata.deletion_timestamp
        ):
            yield f"the {what} of a server is left behind"


def sweeping(work: LauncherAtWork, bench: Bench, location: str) -> Iterator[str]:
    """The agent ended between a server's ConfigMap and its Deployment."""
    handle = work.serve(location)
    bench.apps.delete_namespaced_deployment(handle.name, NAMES.namespace)
    yield ""
    work.clean_up()
    if state_config_map(handle.name) in bench.state_maps():
        yield "the config map of a server that is gone is left behind"


def explaining_a_crash(work: LauncherAtWork, bench: Bench, location: str) -> Iterator[str]:
    handle = work.serve(location, config=life("crashing", says="I cannot"))

    def crashed() -> bool:
        pods = bench.pods_of(**{"user-deployment": handle.name})
        return any("BackOff" in str(bench.events_about(pod.metadata.name)) for pod in pods)

    bench.until(crashed, "the node says that it crashes")
    yield ""
    text = _text(lambda: work.why_not(handle))
    if "I cannot" not in text:
        yield "its last words are missing in the error"
    if "Back-off restarting" not in text:
        yield "its events are missing in the error"


def explaining_no_pod(work: LauncherAtWork, bench: Bench, location: str) -> Iterator[str]:
    handle = work.serve(location, service_account_name=NOBODY)

    def refused() -> bool:
        sets = bench.apps.list_namespaced_replica_set(
            NAMES.namespace, label_selector=f"user-deployment={handle.name}"
        ).items
        return any(NOBODY in str(bench.events_about(one.metadata.name)) for one in sets)

    bench.until(refused, "its ReplicaSet says why there is no pod")
    yield ""
    if NOBODY not in _text(lambda: work.why_not(handle)):
        yield "why it has no pod is missing in the error"


def running(work: LauncherAtWork, bench: Bench, location: str) -> Iterator[str]:
    yield ""
    try:
        work.launch()
    except DagsterK8sUnrecoverableAPIError:
        yield "no run is launched"


def terminating(work: LauncherAtWork, bench: Bench, location: str) -> Iterator[str]:
    run = work.launch()
    own = {"dagster/run-id": run.run_id}
    bench.until(lambda: bench.pods_of(**own), "the run has a pod")
    yield ""
    work.runs.terminate(run.run_id)
    jobs = bench.batch.list_namespaced_job(NAMES.namespace, label_selector=f"dagster/run-id={run.run_id}").items
    if any(not job.metadata.deletion_timestamp for job in jobs):
        yield "the job of a terminated run stays"
    if any(not pod.metadata.deletion_timestamp for pod in bench.pods_of(**own)):
        yield "the pod of a terminated run goes on"


def noticing_a_dead_run(work: LauncherAtWork, bench: Bench, location: str) -> Iterator[str]:
    run = work.launch(config=life("failed"))
    own = f"dagster/run-id={run.run_id}"
    bench.until(
        lambda: any(
            job.status.failed for job in bench.batch.list_namespaced_job(NAMES.namespace, label_selector=own).items
        ),
        "the run's job has failed",
    )
    yield ""
    if work.runs.check_run_worker_health(run).status is not WorkerStatus.FAILED:
        yield "a run that died stays STARTED"


def explaining_a_run_without_a_pod(work: LauncherAtWork, bench: Bench, location: str) -> Iterator[str]:
    run = work.launch(service_account_name=NOBODY)
    name = f"dagster-run-{run.run_id}"
    bench.until(lambda: NOBODY in str(bench.events_about(name)), "its Job says why there is no pod")
    yield ""
    if NOBODY not in _text(lambda: work.runs.get_run_worker_debug_info(run) or ""):
        yield "why the run has no pod is missing in its error"


def _text(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except ApiException as error:
        return f"{error.status}"


Scene = Callable[[LauncherAtWork, Bench, str], Iterator[str]]
SCENES: Final[tuple[Scene, ...]] = (
    loading, reloading, removing, sweeping, explaining_a_crash, explaining_no_pod, running, terminating,
    noticing_a_dead_run, explaining_a_run_without_a_pod,
)  # fmt: skip
MISSED: Final[dict[Verb, tuple[Scene, str]]] = {
    ("apps", "deployments", "create"): (loading, "the location is not loaded"),
    ("apps", "deployments", "get"): (loading, "the location is not loaded"),
    ("apps", "deployments", "list"): (removing, "an agent that ends leaves all it made"),
    ("apps", "deployments", "delete"): (removing, "the deployment of a server is left behind"),
    ("apps", "replicasets", "list"): (explaining_no_pod, "why it has no pod is missing in the error"),
    ("", "services", "create"): (loading, "the location is not loaded"),
    ("", "services", "delete"): (removing, "the service of a server is left behind"),
    ("", "configmaps", "create"): (reloading, "a reload of its definitions starts its server anew"),
    ("", "configmaps", "update"): (reloading, "another state of its definitions is not taken"),
    ("", "configmaps", "list"): (sweeping, "the config map of a server that is gone is left behind"),
    ("", "configmaps", "delete"): (removing, "the config map of a server is left behind"),
    ("", "pods", "list"): (loading, "the location is not loaded"),
    ("", "pods", "delete"): (terminating, "the pod of a terminated run goes on"),
    ("", "pods/log", "get"): (explaining_a_crash, "its last words are missing in the error"),
    ("", "events", "list"): (explaining_a_crash, "its events are missing in the error"),
    ("batch", "jobs", "create"): (running, "no run is launched"),
    ("batch", "jobs", "list"): (explaining_a_run_without_a_pod, "why the run has no pod is missing in its error"),
    ("batch", "jobs", "delete"): (terminating, "the job of a terminated run stays"),
    ("batch", "jobs/status", "get"): (noticing_a_dead_run, "a run that died stays STARTED"),
}
"""By each verb: in which scene it is missed, and what people say then."""


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_with_all_rules_nothing_is_missed(scene: Scene, work: LauncherAtWork, bench: Bench, location: str) -> None:
    bench.take()
    before = bench.asked()

    assert list(scene(work, bench, location)) == [""]
    assert bench.denied(before) == set(), "a rule is missing"


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: " ".join(filter(None, verb)))
def test_without_one_verb_somebody_misses_something(
    verb: Verb, work: LauncherAtWork, bench: Bench, location: str
) -> None:
    scene, complaint = MISSED[verb]
    bench.take()
    steps = scene(work, bench, location)
    next(steps)
    bench.take(verb)
    before = bench.asked()

    missed = list(steps)

    assert complaint in missed, "a verb that nobody misses is more than the agent needs"
    assert bench.denied(before) == {verb}, "and it is missed for no other reason"
