"""The Kubernetes stack from end to end, as `hybrid up` makes it: Pulumi's real engine and the whole program, a real API
server with RBAC, a real registry, the real agent in a pod, code servers and runs in theirs. The node is a double whose
Pods are containers, Dagster+ the embedded one, and Pulumi's kubernetes plugin what the header of the session says.

The tests of this module follow one stack through its life, in order. They cannot show networks and their policies (the
node's is flat), volumes, several nodes, nor what a cloud adds to a cluster.
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from agent.kubernetes_rules import AGENT_RULES
from tests.containers.stand import Containers
from tests.emulated.served import ServedOrganization
from tests.emulated.stack_checkout import STACK
from tests.kubernetes.kubernetes_checkout import KubernetesCheckout
from tests.kubernetes.lab import KubernetesLab

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(1200)]

_READS = ("get", "list", "watch")
_RUN = "query($id: ID!) { found: runOrError(runId: $id) { ... on Run { status } } }"
_PUT = (
    "mutation($document: GenericScalar!) { put: addOrUpdateLocationFromDocument(document: $document) { __typename } }"
)
_REMOVE = "mutation($name: String!) { gone: deleteLocation(locationName: $name) { __typename } }"
_TERMINATE = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"


@pytest.fixture(scope="module")
def stack(
    kubernetes_lab: KubernetesLab,
    containers: Containers,
    kubernetes_agent_image: str,
    kubernetes_plugin_path: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[KubernetesCheckout]:
    said = ["--also-listen", kubernetes_lab.gateway, "--organization", "acme", "--deployment", STACK]
    with ServedOrganization(tmp_path_factory.mktemp("plus"), *said) as plus:
        root = tmp_path_factory.mktemp("stack")
        place = KubernetesCheckout(
            root, kubernetes_lab, plus, containers, kubernetes_agent_image, kubernetes_plugin_path
        )
        yield place
        place.destroy()


def writes(stack: KubernetesCheckout, since: int = 0) -> list[str]:
    """What people did, by the calls that succeeded and were no dry run; the agent goes on with its own."""
    calls = stack.lab.calls()[since:]
    return [
        f"{call.verb} {call.resource} {call.name}"
        for call in calls
        if call.user == "admin" and call.verb not in _READS and not call.dry_run and "reviews" not in call.resource
    ]


def status_of(stack: KubernetesCheckout, run: str) -> str:
    return str(stack.plus.ask(_RUN, id=run)["found"]["status"])


def pods_of(stack: KubernetesCheckout, run: str) -> list[str]:
    """The names of a run's pods, ended ones too."""
    pods = stack.objects("pod")
    return [pod.metadata.name for pod in pods if (pod.metadata.labels or {}).get("dagster/run-id") == run]


def started(stack: KubernetesCheckout, job: str) -> str:
    """The id of a run that has started."""
    answer = stack.hybrid("run", STACK, "beta", job, "--no-wait", "--json")
    assert answer.code == 0, f"{answer.err}\n{stack.trouble()}"
    run = str(answer.document["run_id"])
    stack.until(lambda: status_of(stack, run) == "STARTED", seconds=90, what="the run has started")
    return run


def error_of(stack: KubernetesCheckout, name: str, image: str, **more: Any) -> str:
    """What Dagster+ shows of a location that it is told of, and that cannot load; the location is removed again."""
    document = {"location_name": name, "image": image, "code_source": {"module_name": name}, **more}
    stack.plus.ask(_PUT, document=document)
    try:
        return str(
            stack.until(
                lambda: (state := stack.plus.load_states(STACK).get(name, "")).startswith("ERROR") and state,
                seconds=300,  # both of the settings' time-outs: a pod that ends may be seen running for a moment
                what=f"{name} shows an error",
            )
        )
    finally:
        stack.plus.ask(_REMOVE, name=name)


def test_a_preview_changes_nothing_anywhere(stack: KubernetesCheckout) -> None:
    answer = stack.hybrid("preview", STACK)

    assert answer.code == 0, answer.err
    assert writes(stack) == [], "a preview only reads"
    assert stack.tokens() == {}, "and makes no token"


def test_up_ends_when_all_locations_are_loaded_from_the_images_that_were_pushed(stack: KubernetesCheckout) -> None:
    stack.up()

    status = stack.status()
    assert [agent["status"] for agent in status["agents"]] == ["RUNNING"]
    assert {each["name"]: each["load_status"] for each in status["locations"]} == {"alpha": "LOADED", "beta": "LOADED"}
    for location in status["locations"]:
        repository = f"{stack.settings['registry']['address']}/{location['name']}@sha256:"
        assert location["image"].startswith(repository), "a tag could be moved; a digest is what was pushed"


def test_agent_and_code_run_in_pods_with_no_more_than_they_need(stack: KubernetesCheckout) -> None:
    (agent,) = [pod for pod in stack.objects("pod") if pod.metadata.name in stack.agent_pods()]
    assert agent.status.container_statuses[0].ready, "the reconciliation sentinel is there"
    assert (agent.spec.service_account_name, agent.spec.security_context.run_as_user) == (stack.names.agent, 1001)

    servers = [pod for pod in stack.objects("pod") if "user-deployment" in (pod.metadata.labels or {})]
    assert {pod.spec.service_account_name for pod in servers} == {stack.names.code}
    mounts = [mount.mount_path for pod in servers for mount in pod.spec.containers[0].volume_mounts or []]
    assert not any("serviceaccount" in mount for mount in mounts), "code has no token of the cluster"


def test_a_run_is_a_job_that_ends_in_success(stack: KubernetesCheckout) -> None:
    answer = stack.hybrid("run", STACK, "alpha", "greeting", "--json")
    assert answer.code == 0, f"{answer.err}\n{stack.trouble()}"

    run = answer.document["run_id"]
    (job,) = [job for job in stack.objects("job") if job.metadata.labels["dagster/run-id"] == run]
    stack.until(
        lambda: any(again.status.succeeded for again in stack.objects("job") if again.metadata.uid == job.metadata.uid),
        seconds=60,
        what="the run's job is complete",
    )
    assert job.metadata.labels["hybrid.dagster/stack"] == stack.names.base, "`down` finds it by the stack's label"


def test_a_run_that_fails_ends_in_failure(stack: KubernetesCheckout) -> None:
    answer = stack.hybrid("run", STACK, "beta", "failing", "--json")

    assert answer.code == 9, f"{answer.err}\n{stack.trouble()}"
    assert answer.document["status"] == "FAILURE"


def test_a_terminated_run_is_canceled_and_its_pods_end(stack: KubernetesCheckout) -> None:
    run = started(stack, "sleeping")

    stack.plus.ask(_TERMINATE, id=run)

    stack.until(lambda: status_of(stack, run) == "CANCELED", seconds=90, what="the run is canceled")

    def ended() -> bool:
        pods = [pod for pod in stack.objects("pod") if pod.metadata.name in pods_of(stack, run)]
        return all(pod.status.phase in ("Succeeded", "Failed") for pod in pods)

    stack.until(ended, seconds=90, what="nothing of the run goes on")


def test_an_up_with_nothing_to_do_touches_nothing(stack: KubernetesCheckout) -> None:
    before, servers = len(stack.lab.calls()), stack.servers()

    answer = stack.up()

    assert "Nothing had to change" in answer.err, answer.err
    assert writes(stack, before) == []
    assert stack.servers() == servers, "no code server was started anew"


def test_a_change_of_code_touches_its_own_location_only(stack: KubernetesCheckout) -> None:
    images, servers = stack.images(), stack.servers()
    stack.code("alpha", "two")

    stack.up()

    after = stack.images()
    assert after["alpha"] != images["alpha"], "another content is another digest"
    assert after["beta"] == images["beta"]
    assert stack.servers()["beta"] == servers["beta"], "the other location's server goes on"
    stack.until(
        lambda: stack.servers()["alpha"].isdisjoint(servers["alpha"]),
        seconds=60,
        what="this one's former server is gone",
    )


def test_code_that_fails_in_its_container_shows_its_traceback(stack: KubernetesCheckout) -> None:
    stack.code("alpha", "three", broken=True)

    answer = stack.hybrid("up", STACK, "--yes")

    assert answer.code != 0
    assert "only in the container" in answer.err, answer.err
    stack.code("alpha", "four")
    stack.up()


def test_the_logs_of_agent_and_code_server_are_read_from_the_cluster(stack: KubernetesCheckout) -> None:
    said = stack.hybrid("agent", "logs", STACK, "-n", "500")

    assert said.code == 0, said.err
    assert "dagster_cloud" in said.out


def test_a_restart_leaves_no_moment_without_an_agent(stack: KubernetesCheckout) -> None:
    before = set(stack.agent_pods())
    seen: list[int] = []

    restart, said = stack.start("agent", "restart", STACK, "--yes"), ""
    while restart.returncode is None:
        seen.append(len(stack.agent_pods()))
        with suppress(subprocess.TimeoutExpired):
            _, said = restart.communicate(timeout=0.2)

    assert restart.returncode == 0, f"{said}\n{stack.trouble()}"
    stack.until(lambda: before.isdisjoint(stack.agent_pods()), seconds=150, what="another agent runs")
    assert min(seen) >= 1, "at each moment one was there"


def test_a_new_token_takes_the_place_of_the_former_one(stack: KubernetesCheckout) -> None:
    (before,) = [token for token, good in stack.tokens().items() if good]

    answer = stack.hybrid("agent", "rotate-token", STACK, "--yes", "--wait-seconds", "120")

    assert answer.code == 0, f"{answer.err}\n{stack.trouble()}"
    (after,) = [token for token, good in stack.tokens().items() if good]
    assert after != before


def test_no_object_but_the_secret_has_the_token(stack: KubernetesCheckout) -> None:
    (secret,) = [one for one in stack.objects("secret") if one.metadata.name == stack.names.token_secret]
    tokens = [base64.b64decode(text).decode() for text in secret.data.values()]
    assert tokens
    for kind in ("deployment", "pod", "job", "config_map", "service"):
        text = str(stack.objects(kind))
        assert not any(token in text for token in tokens), f"a {kind} has the token"
    assert not any(token in (stack.lab.folder / "audit.jsonl").read_text() for token in tokens)


def test_an_image_that_is_not_there_is_said_in_the_clusters_words(stack: KubernetesCheckout) -> None:
    """Told to Dagster+ by somebody else: `hybrid up` asks the registry before."""
    said = error_of(stack, "typo", f"{stack.containers.registry}/nothing:1")

    assert "ImagePull" in said or "pull image" in said, said


def test_a_code_server_that_ends_at_once_is_shown_with_its_last_words(stack: KubernetesCheckout) -> None:
    command = {"container_config": {"command": ["sh", "-c", "echo I cannot; exit 3"], "args": []}}

    said = error_of(stack, "ending", stack.images()["beta"], container_context={"k8s": {"server_k8s_config": command}})

    assert "I cannot" in said, said


def test_a_killed_run_is_reported_as_failed(stack: KubernetesCheckout) -> None:
    run = started(stack, "sleeping")
    (pod,) = pods_of(stack, run)

    stack.containers.run(
        "kill", *[one for one in stack.lab.containers_of(stack.names.namespace, pod) if "dagster" in one]
    )

    stack.until(lambda: status_of(stack, run) == "FAILURE", seconds=180, what="the run has failed")


def test_a_run_whose_pod_somebody_deletes_is_reported_as_failed(stack: KubernetesCheckout) -> None:
    run = started(stack, "sleeping")
    (pod,) = pods_of(stack, run)

    stack.lab.core().delete_namespaced_pod(pod, stack.names.namespace, grace_period_seconds=0)

    stack.until(lambda: status_of(stack, run) == "FAILURE", seconds=180, what="the run has failed")


def test_an_agent_by_itself_removes_the_job_of_a_terminated_run(stack: KubernetesCheckout) -> None:
    """One that shares its deployment (Dagster's isolated agents) leaves that to the run's worker, which asks Dagster+
    whether it is canceled (dagster_cloud/agent/dagster_cloud_agent.py, TERMINATE_RUN)."""
    stack.change("agent", zeroDowntime=False)
    stack.up()
    run = started(stack, "sleeping")

    stack.plus.ask(_TERMINATE, id=run)

    stack.until(lambda: status_of(stack, run) == "CANCELED", seconds=90, what="the run is canceled")
    stack.until(lambda: not pods_of(stack, run), seconds=90, what="its pod is gone")
    jobs = [job for job in stack.objects("job") if job.metadata.labels["dagster/run-id"] == run]
    assert jobs == [], "and its job"


def test_down_waits_for_the_agent_and_leaves_nothing(stack: KubernetesCheckout) -> None:
    answer = stack.hybrid("down", STACK, "--yes")

    assert answer.code == 0, f"{answer.err}\n{stack.trouble()}"
    assert not stack.lab.exists(stack.names.namespace), "the namespace was the stack's own"
    assert stack.lab.containers() == [], "no pod is left"
    assert not any(stack.tokens().values()), "the token is revoked"
    assert stack.plus.load_states(STACK) == {}, "and Dagster+ knows none of its locations"


def test_the_agent_was_denied_nothing_and_used_no_more_than_its_rules(stack: KubernetesCheckout) -> None:
    calls = stack.agent_calls()
    denied = sorted({f"{call.verb} {call.group}/{call.resource}" for call in calls if not call.allowed})
    used = {(call.group, call.resource, call.verb) for call in calls if call.allowed}
    granted = {(rule.group, one, verb) for rule in AGENT_RULES for one in rule.resources for verb in rule.verbs}

    assert denied == [], "a rule is missing"
    assert used <= granted, "what is used is granted by a rule, and by nothing else"
