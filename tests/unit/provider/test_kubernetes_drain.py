"""``KubernetesDrain`` against a cluster faked at the level of HTTP: what it waits for, what it removes, what it leaves
alone, and that it goes on where it was stopped. That an agent cleans up after itself is for tests with a real one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hybrid.errors import NotReadyError
from hybrid.kubernetes.errors import KubernetesDenied, KubernetesWrongCluster
from hybrid.provider import kubernetes_drain
from hybrid.provider.agent_drain import RUNS_VARIABLE
from hybrid.provider.kubernetes_drain import DEFINITION, KubernetesDrain
from hybrid.provider.kubernetes_place import Doors
from hybrid.provider.resource import CancelledError
from tests.unit.kubernetes.fake_cluster import AGENT, NAMESPACE, STACK, STACK_LABEL, Fake, served

pytestmark = pytest.mark.unit

OTHER = "hybrid-other"


@pytest.fixture
def fake(tmp_path, monkeypatch):
    monkeypatch.setattr(kubernetes_drain, "_POLL", 0.001)
    monkeypatch.delenv(RUNS_VARIABLE, raising=False)
    with served(Fake(), tmp_path) as fake:
        yield fake
    assert fake.unknown == [], "something was asked that an API server of this kind is not asked"


@pytest.fixture
def resource():
    return KubernetesDrain(Doors())


@pytest.fixture
def inputs(fake):
    given = {"kubeconfig": fake.kubeconfig, "context": "test", "server": fake.address, "namespaces": [NAMESPACE],
             "agent": AGENT, "stack": STACK, "ownsNamespace": False, "timeoutSeconds": 30,
             "cleanupSeconds": 30}  # fmt: skip
    return DEFINITION.complete(given)


def infos(report):
    return [text for kind, text in report.said if kind == "info"]


def warnings(report):
    return [text for kind, text in report.said if kind == "warning"]


def changes(fake):
    return [call for call in fake.calls if not call.startswith(("list ", "get "))]


def test_making_and_reading_it_touches_nothing(fake, resource, inputs, call):
    assert resource.create(inputs, call).id == f"{NAMESPACE}/{STACK}"
    assert resource.read("id", inputs, {}, call).id == "id"
    assert fake.calls == []


def test_where_nothing_is_left_nothing_is_said(fake, resource, inputs, call, report):
    resource.delete("id", inputs, {}, call)
    assert report.said == []
    assert changes(fake) == []


def test_what_the_agent_left_is_removed_and_nothing_else(fake, resource, inputs, call, report):
    fake.server("hello-1")
    fake.server("world-1")
    fake.run("1", over="Complete")
    fake.server("theirs-1", stack=OTHER, agent="another")
    fake.server("nobodys-1", stack=None, agent="a third")
    fake.run("9", stack=OTHER)
    fake.run("8", stack=OTHER, over="Failed")
    fake.put("deployments", "shop", labels={"team": "a"})
    fake.put("configmaps", "mine", labels={"managed_by": "K8sUserCodeLauncher"})
    fake.put("secrets", "db", labels={STACK_LABEL: STACK})

    resource.delete("id", inputs, {}, call)

    assert fake.left("deployments") == ["nobodys-1", "shop", "theirs-1"]
    assert fake.left("services") == ["nobodys-1", "theirs-1"]
    assert len(fake.left("configmaps")) == 3, "those of the two other servers, and one that only looks alike"
    assert fake.left("jobs") == ["dagster-run-8", "dagster-run-9"]
    assert fake.left("secrets") == ["db"], "Pulumi's things are Pulumi's to delete"
    assert not [call for call in fake.calls if "secrets" in call]
    assert infos(report) == [
        "removed what the agent had left: 2 services, 2 code servers, 2 config maps, 1 finished run"
    ]


def test_in_a_namespace_of_the_stacks_own_what_lacks_the_label_goes_too(fake, resource, inputs, call):
    fake.server("hello-1", stack=None)
    fake.server("theirs-1", stack=OTHER, agent="another")
    resource.delete("id", inputs | {"ownsNamespace": True}, {}, call)
    assert fake.left("deployments") == ["theirs-1"], "another stack's stays even here"


def test_code_servers_in_namespaces_of_locations_go_as_well(fake, resource, inputs, call):
    fake.server("hello-1", namespace="team-b")
    fake.server("nobodys-1", namespace="team-b", stack=None, agent="a third")
    resource.delete("id", inputs | {"namespaces": [NAMESPACE, "team-b"], "ownsNamespace": True}, {}, call)
    assert fake.left("deployments") == ["nobodys-1"]


def test_a_config_map_whose_server_the_agent_removed_itself_is_known_by_the_agents_id(fake, resource, inputs, call):
    fake.server("hello-1")
    fake.agent_pod()

    def agent_cleans_up():
        fake.hooks.clear()
        fake.remove("deployments", NAMESPACE, "hello-1")
        fake.remove("services", NAMESPACE, "hello-1")
        fake.remove("pods", NAMESPACE, f"{AGENT}-1")

    fake.hooks["list configmaps"] = agent_cleans_up
    resource.delete("id", inputs, {}, call)
    assert fake.left("configmaps") == []


def test_a_config_map_without_a_server_is_known_by_its_location_and_others_are_not_touched(
    fake, resource, inputs, call
):
    old = {"metadata": {"creationTimestamp": "2026-11-21T11:00:00Z"}}
    fake.server("hello-1", location="hello")
    fake.server("theirs-1", stack=OTHER, agent="another", location="hello")
    ours = fake.state_map("gone-1", agent="of-before", location="hello", **old)
    kept = [
        fake.state_map("theirs-1", agent="another", location="hello", **old),
        fake.state_map("theirs-2", agent="another", location="shop", **old),
        fake.state_map("coming-1", agent="another", location="hello",
                       metadata={"creationTimestamp": datetime.now(UTC).isoformat()}),
    ]  # fmt: skip

    resource.delete("id", inputs, {}, call)

    left = fake.left("configmaps")
    assert ours["metadata"]["name"] not in left
    assert left == sorted(one["metadata"]["name"] for one in kept), (
        "of others' servers, locations, and one in the making"
    )


def test_an_agent_that_is_cleaning_up_is_left_to_it(fake, resource, inputs, call, report):
    fake.agent_pod()
    fake.server("hello-1")

    def looked():
        if ("status", "waiting for the agent to end and to clean up; 1 code server left") in report.said:
            fake.objects.clear()

    fake.hooks["list deployments"] = looked
    resource.delete("id", inputs, {}, call)
    assert changes(fake) == [], "two at the same work would only get into each other's way"
    assert infos(report) == []


def test_an_agent_that_does_not_end_is_removed_with_a_warning(fake, resource, inputs, call, report):
    fake.agent_pod()
    resource.delete("id", inputs | {"cleanupSeconds": 0}, {}, call)
    assert warnings(report) == ["the agent did not end in 0 s; its pods are removed"]
    assert fake.left("pods") == []


def test_while_the_agents_deployment_stands_nothing_is_removed(fake, resource, inputs, call):
    fake.agent()
    fake.server("hello-1")
    with pytest.raises(NotReadyError, match=f"The agent's Deployment {AGENT} still stands") as caught:
        resource.delete("id", inputs, {}, call)
    assert "Nothing was removed." in caught.value.sentence()
    assert changes(fake) == []


def test_a_deployment_that_is_leaving_or_scaled_away_makes_nothing_again(fake, resource, inputs, call):
    fake.agent(replicas=0, ready=0)
    fake.server("hello-1")
    resource.delete("id", inputs, {}, call)
    assert fake.left("services") == []


def test_runs_are_waited_for(fake, resource, inputs, call, report):
    fake.run()

    def looked():
        if ("status", "waiting for 1 run: nightly 0f3a2b1c") in report.said:
            for one in fake.objects.values():
                if "active" in one.get("status", {}):
                    one["status"]["conditions"] = [{"type": "Complete", "status": "True"}]

    fake.hooks["list jobs"] = looked
    resource.delete("id", inputs, {}, call)
    assert infos(report)[0] == "no run is left"
    assert fake.left("jobs") == [], "a finished one goes"


def test_runs_that_do_not_end_in_time_hold_everything_and_the_way_out_is_named(fake, resource, inputs, call):
    fake.run()
    with pytest.raises(NotReadyError, match="there is still 1 run: nightly 0f3a2b1c") as caught:
        resource.delete("id", inputs | {"timeoutSeconds": 0.01}, {}, call)
    assert f"{RUNS_VARIABLE}=terminate" in caught.value.sentence()
    assert fake.left("jobs") == ["dagster-run-0f3a2b1c-aaaa"]


@pytest.mark.parametrize(
    ("choice", "owns", "goes"), [("terminate", False, True), ("leave", True, True), ("leave", False, False)]
)
def test_the_variable_says_what_happens_to_runs(fake, resource, inputs, call, report, monkeypatch, choice, owns, goes):
    fake.run()
    monkeypatch.setenv(RUNS_VARIABLE, choice)
    resource.delete("id", inputs | {"ownsNamespace": owns}, {}, call)
    assert (fake.left("jobs") == []) is goes
    assert (fake.left("pods") == []) is goes, "the pod of a run that is left to itself goes on"
    assert bool(warnings(report)) is (choice == "leave"), "a run that is cut off, or cut loose, is said"


def test_pods_that_the_cluster_ends_by_itself_are_waited_for_and_not_removed(fake, resource, inputs, call):
    fake.pod("lost-1", labels={STACK_LABEL: STACK, "user-deployment": "lost"})

    def looked():
        if fake.calls.count(f"list pods {NAMESPACE}") == 12:
            fake.remove("pods", NAMESPACE, "lost-1")

    fake.hooks["list pods"] = looked
    resource.delete("id", inputs, {}, call)
    assert changes(fake) == []


def test_pods_that_the_cluster_forgets_are_removed(fake, resource, inputs, call, monkeypatch):
    monkeypatch.setattr(kubernetes_drain, "_PATIENCE", 0)
    fake.pod("lost-1", labels={STACK_LABEL: STACK, "user-deployment": "lost"})
    resource.delete("id", inputs, {}, call)
    assert changes(fake) == [f"delete pods {NAMESPACE}/lost-1"]


def test_what_a_finalizer_holds_is_named_and_asked_for_once(fake, resource, inputs, call):
    made = fake.server("hello-1")
    made["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    fake.remove("services", NAMESPACE, "hello-1")
    with pytest.raises(NotReadyError, match="1 code servers could not be removed: hello-1") as caught:
        resource.delete("id", inputs | {"timeoutSeconds": 0.05}, {}, call)
    assert "it goes on from here" in caught.value.sentence()
    assert f"delete deployments {NAMESPACE}/hello-1" not in fake.calls, "its end was asked for before"


@pytest.mark.parametrize("kind", ["services", "deployments", "configmaps", "jobs"])
def test_one_that_was_cut_off_half_way_goes_on_where_it_was(fake, resource, inputs, call, kind):
    for number in (1, 2):
        fake.server(f"hello-{number}")
        fake.run(str(number), over="Complete")
    fake.hooks[f"delete {kind}"] = call.cancelled.set
    with pytest.raises(CancelledError):
        resource.delete("id", inputs, {}, call)
    assert fake.objects, "else nothing was cut off"
    fake.hooks.clear()
    call.cancelled.clear()
    resource.delete("id", inputs, {}, call)
    assert fake.left("deployments") == fake.left("services") == fake.left("jobs") == fake.left("pods") == []
    resource.delete("id", inputs, {}, call)


def test_a_namespace_that_is_gone_is_no_error(resource, inputs, call):
    resource.delete("id", inputs | {"namespaces": ["gone"]}, {}, call)


def test_a_cancellation_ends_the_wait(fake, resource, inputs, call):
    fake.run()
    call.cancelled.set()
    with pytest.raises(CancelledError):
        resource.delete("id", inputs, {}, call)


def test_in_another_cluster_nothing_is_looked_at(fake, resource, inputs, call):
    with pytest.raises(KubernetesWrongCluster):
        resource.delete("id", inputs | {"server": "https://production.test"}, {}, call)
    assert fake.calls == []


def test_without_rights_it_says_what_is_missing(fake, resource, inputs, call):
    fake.server("hello-1")
    fake.refuse("delete services")
    with pytest.raises(KubernetesDenied, match="does not allow this identity to remove the service hello-1"):
        resource.delete("id", inputs, {}, call)
