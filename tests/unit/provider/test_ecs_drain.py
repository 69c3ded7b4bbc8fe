"""``EcsDrain`` against moto's ECS and Cloud Map: what it waits for, what it removes, what it leaves alone, and that it
goes on where it was stopped. That an agent cleans up after itself is for the tests with a real agent."""

from __future__ import annotations

import pytest

from hybrid.aws.errors import AwsWrongAccount
from hybrid.errors import NotReadyError
from hybrid.provider import ecs_drain
from hybrid.provider.agent_drain import RUNS_VARIABLE
from hybrid.provider.ecs_drain import DEFINITION, EcsDrain
from hybrid.provider.ecs_place import Doors
from hybrid.provider.resource import CancelledError
from tests.unit.aws.motolab import ACCOUNT, CLUSTER, REGION, SERVICE, STACK, laboratory

pytestmark = pytest.mark.unit

TAG = "dagster-hybrid/stack"
RUN = {TAG: STACK, "dagster/run_id": "0f3a2b1c-aaaa", "dagster/job_name": "nightly"}


@pytest.fixture
def lab(monkeypatch):
    monkeypatch.setattr(ecs_drain, "_POLL", 0.001)
    monkeypatch.delenv(RUNS_VARIABLE, raising=False)
    with laboratory(monkeypatch) as lab:
        yield lab


@pytest.fixture
def resource():
    return EcsDrain(Doors())


@pytest.fixture
def inputs(lab):
    given = {"region": REGION, "account": ACCOUNT, "cluster": CLUSTER, "service": SERVICE, "stack": STACK,
             "namespace": lab.namespace(), "timeoutSeconds": 30, "cleanupSeconds": 30}  # fmt: skip
    return DEFINITION.complete(given)


def services_left(lab):
    return sorted(arn.rpartition("/")[2] for arn in lab.ecs.list_services(cluster=CLUSTER)["serviceArns"])


def infos(report):
    return [text for kind, text in report.said if kind == "info"]


def test_making_and_reading_it_touches_nothing(lab, resource, inputs, call):
    lab.calls.clear()
    assert resource.create(inputs, call).id == f"{CLUSTER}/{STACK}"
    assert resource.read("id", inputs, {}, call).id == "id"
    assert lab.calls == []


def test_where_nothing_is_left_nothing_is_said(lab, resource, inputs, call, report):
    resource.delete("id", inputs, {}, call)
    assert report.said == []
    assert not {"UpdateService", "DeleteService", "StopTask"} & set(lab.calls)


def test_what_the_agent_left_is_removed_and_nothing_else(lab, resource, inputs, call, report):
    lab.server("hello")
    lab.server("world")
    lab.service("neighbour-agent", tags={TAG: "hybrid-other"})
    lab.service("stranger", tags={})
    foreign = lab.task(tags=RUN | {TAG: "hybrid-other"})
    elsewhere = lab.namespace("other.local")
    for name in ("hello-prod-abc123", "world-prod-abc123"):
        lab.register(inputs["namespace"], name)
    lab.register(elsewhere, "stranger")

    resource.delete("id", inputs, {}, call)

    assert services_left(lab) == ["neighbour-agent", "stranger"]
    assert lab.names_left() == ["stranger"]
    assert foreign._status == "RUNNING"
    assert infos(report) == ["removed what the agent had left: 2 code servers, 2 names of Cloud Map"]


def test_in_a_namespace_of_others_only_names_with_the_tag_go(lab, resource, inputs, call):
    lab.register(inputs["namespace"], "hello")
    lab.register(inputs["namespace"], "stranger", tags={})
    resource.delete("id", inputs | {"ownsNamespace": False}, {}, call)
    assert lab.names_left() == ["stranger"]


def test_an_agent_that_is_cleaning_up_is_left_to_it(lab, resource, inputs, call, report):
    agent = lab.task(SERVICE, status="DEPROVISIONING")
    server = lab.server("hello")

    def looked(parameters):
        if lab.calls.count("ListServices") == 3:
            server.status = "INACTIVE"  # the agent's own work
        if lab.calls.count("ListServices") == 4:
            agent._status = "STOPPED"

    lab.hooks["ListServices"] = looked
    resource.delete("id", inputs, {}, call)
    assert report.said[0] == ("status", "waiting for the agent to end and to clean up; 1 code servers left")
    assert "DeleteService" not in lab.calls, "two at the same work would only get into each other's way"
    assert infos(report) == []


def test_an_agent_that_does_not_end_is_stopped_with_a_warning(lab, resource, inputs, call, report):
    lab.task(SERVICE, status="DEACTIVATING")
    resource.delete("id", inputs | {"cleanupSeconds": 0}, {}, call)
    assert ("warning", "the agent did not end in 0 s; it is stopped") in report.said
    assert "StopTask" in lab.calls


def test_while_the_agents_service_runs_nothing_is_removed(lab, resource, inputs, call):
    lab.service()
    lab.server("hello")
    with pytest.raises(NotReadyError, match=f"The agent's service {SERVICE} still runs") as caught:
        resource.delete("id", inputs, {}, call)
    assert "Nothing was removed." in caught.value.sentence()
    assert services_left(lab) == ["hello-prod-abc123", SERVICE]


def test_runs_are_waited_for(lab, resource, inputs, call, report):
    run = lab.task(tags=RUN)

    def looked(parameters):
        if ("status", "waiting for 1 run: nightly 0f3a2b1c") in report.said:
            run._status = run.desired_status = "STOPPED"

    lab.hooks["ListServices"] = looked
    resource.delete("id", inputs, {}, call)
    assert infos(report) == ["no task of a run is left"]
    assert "StopTask" not in lab.calls


def test_runs_that_do_not_end_in_time_hold_everything_and_the_way_out_is_named(lab, resource, inputs, call):
    run = lab.task(tags=RUN)
    with pytest.raises(NotReadyError, match="there is still 1 run: nightly 0f3a2b1c") as caught:
        resource.delete("id", inputs | {"timeoutSeconds": 0.01}, {}, call)
    assert f"{RUNS_VARIABLE}=terminate" in caught.value.sentence()
    assert run._status == "RUNNING"


@pytest.mark.parametrize(
    ("choice", "owns", "stops"), [("terminate", True, True), ("leave", True, True), ("leave", False, False)]
)
def test_the_variable_says_what_happens_to_runs(lab, resource, inputs, call, report, monkeypatch, choice, owns, stops):
    run = lab.task(tags=RUN)
    monkeypatch.setenv(RUNS_VARIABLE, choice)
    resource.delete("id", inputs | {"ownsCluster": owns}, {}, call)
    assert (run._status == "STOPPED") is stops
    warnings = [text for kind, text in report.said if kind == "warning"]
    assert bool(warnings) is (choice == "leave"), "a run that is cut off, or cut loose, is said"


def test_tasks_of_services_that_are_gone_are_waited_for_and_not_shot(lab, resource, inputs, call):
    task = lab.task("hello-prod-abc123", status="DEPROVISIONING")

    def looked(parameters):
        if lab.calls.count("ListServices") == 6:
            task._status = "STOPPED"

    lab.hooks["ListServices"] = looked
    resource.delete("id", inputs, {}, call)
    assert "StopTask" not in lab.calls
    assert lab.calls.count("ListServices") >= 6, "until it is over it holds the security group"


def test_tasks_that_stay_are_named(lab, resource, inputs, call):
    task = lab.task("hello-prod-abc123", status="DEPROVISIONING")
    with pytest.raises(NotReadyError, match=f"1 tasks do not stop: {task.id}") as caught:
        resource.delete("id", inputs | {"timeoutSeconds": 0.01}, {}, call)
    assert "it goes on from here" in caught.value.sentence()


@pytest.mark.parametrize("operation", ["DeleteService", "DeregisterInstance", "UpdateService", "ListTasks"])
def test_one_that_was_cut_off_half_way_goes_on_where_it_was(lab, resource, inputs, call, report, operation):
    for name in ("hello", "world"):
        lab.server(name)
        lab.register(inputs["namespace"], f"{name}-prod-abc123")

    def cut(parameters):
        if lab.calls.count(operation) == 2:
            raise KeyboardInterrupt

    lab.hooks[operation] = cut
    with pytest.raises(KeyboardInterrupt):
        resource.delete("id", inputs, {}, call)
    left = len(services_left(lab)) + len(lab.names_left())
    assert left > 0, "else nothing was cut off"

    lab.hooks.clear()
    resource.delete("id", inputs, {}, call)
    assert services_left(lab) == []
    assert lab.names_left() == []
    resource.delete("id", inputs, {}, call)


def test_a_name_that_is_in_use_again_is_tried_once_more(lab, resource, inputs, call):
    lab.register(inputs["namespace"], "hello")
    lab.refuse("DeleteService", "ResourceInUse")
    resource.delete("id", inputs, {}, call)
    assert lab.names_left() == []


def test_a_cluster_and_a_namespace_that_are_gone_are_no_error(lab, resource, inputs, call):
    resource.delete("id", inputs | {"cluster": "gone", "namespace": "ns-gone"}, {}, call)


def test_a_cancellation_ends_the_wait(lab, resource, inputs, call):
    lab.task(tags=RUN)
    call.cancelled.set()
    with pytest.raises(CancelledError):
        resource.delete("id", inputs, {}, call)


def test_in_another_account_nothing_is_looked_at(lab, resource, inputs, call):
    lab.calls.clear()
    with pytest.raises(AwsWrongAccount):
        resource.delete("id", inputs | {"account": "999999999999"}, {}, call)
    assert lab.calls == ["GetCallerIdentity"]
