"""``EcsServiceState`` against moto's ECS: when a service counts as steady, and what people read when it does not become
so. Each step of ECS is put there by the test; the order in which ECS itself takes them is for a real account."""

from __future__ import annotations

import boto3
import pytest

from hybrid.provider import ecs_service_state
from hybrid.provider.difference import Change
from hybrid.provider.ecs_place import Doors
from hybrid.provider.ecs_service_state import DEFINITION, EcsServiceState
from hybrid.provider.resource import CancelledError, PartialError
from tests.unit.aws.motolab import ACCOUNT, CLUSTER, REGION, SERVICE, laboratory

pytestmark = pytest.mark.unit

BROKEN = {"status": "STOPPED", "stop_code": "EssentialContainerExited", "exit_code": 1}


@pytest.fixture
def lab(monkeypatch):
    monkeypatch.setattr(ecs_service_state, "_POLL", 0.0)
    with laboratory(monkeypatch) as lab:
        yield lab


@pytest.fixture
def resource():
    return EcsServiceState(Doors())


@pytest.fixture
def inputs(lab):
    given = {"region": REGION, "account": ACCOUNT, "cluster": CLUSTER, "service": SERVICE,
             "taskDefinition": lab.definition, "timeoutSeconds": 60}  # fmt: skip
    return DEFINITION.complete(given)


def steps(lab, *actions):
    """Do one action at each look at the service but the first two: that of the roll-out, and the first of the wait."""
    left = [lambda: None, lambda: None, *actions]

    def look(parameters):
        if left:
            left.pop(0)()

    lab.hooks["DescribeServices"] = look


def test_a_service_with_all_its_tasks_is_steady(lab, resource, inputs, call):
    lab.service(desired=2, running=2, rollout="COMPLETED")
    lab.task(SERVICE)
    newest = lab.task(SERVICE)

    found = resource.create(inputs, call)

    assert found.id == f"{CLUSTER}/{SERVICE}"
    assert found.outputs["runningCount"] == 2
    assert found.outputs["steady"] is True
    assert found.outputs["startedAt"] == newest.started_at.astimezone().isoformat(timespec="milliseconds")
    assert "UpdateService" not in lab.calls, "what stands is left alone"


def test_it_waits_and_says_for_what(lab, resource, inputs, call, report):
    service = lab.service(running=0)

    def runs():
        service.running_count, service.pending_count = 1, 0
        service.deployments[0] |= {"runningCount": 1, "pendingCount": 0}
        lab.task(SERVICE)

    steps(lab, runs)
    resource.create(inputs, call)
    assert report.said == [("status", "0 of 1 tasks run, 1 start")]


def test_a_task_of_the_old_roll_out_is_waited_for(lab, resource, inputs, call, report):
    service = lab.service()
    lab.task(SERVICE)
    service.deployments.append(dict(service.deployments[0], status="ACTIVE", taskDefinition="old:1"))
    service.running_count = 2

    def goes():
        service.running_count = 1
        del service.deployments[1]

    steps(lab, goes)
    resource.create(inputs, call)
    assert report.said == [("status", "1 of 1 tasks run, 1 of the old ones left")], (
        "until it is gone, its heartbeats would be taken for the new agent's"
    )


@pytest.mark.parametrize(
    ("awaited", "said"), [(True, [("status", "1 of 1 tasks run, 1 not healthy yet")]), (False, [])]
)
def test_where_there_is_a_health_check_its_answer_is_waited_for(lab, resource, inputs, call, report, awaited, said):
    checked = lab.define("hybrid-test-agent", health=True)
    lab.service(definition=checked)
    task = lab.task(SERVICE, definition=checked)
    steps(lab, lambda: setattr(task, "health_status", "HEALTHY"))
    resource.create(inputs | {"taskDefinition": checked, "awaitHealth": awaited}, call)
    assert report.said == said


def test_a_task_that_stops_ends_the_wait_at_once_with_reason_log_and_cause(lab, resource, inputs, call):
    lab.service(running=0)
    token = "agent:acme:" + "0123456789abcdef" * 2
    lines = [f"token {token}", "401 Client Error: Unauthorized for url: https://acme.agent.dagster.cloud/graphql"]
    task = lab.task(SERVICE, stopped_reason="Essential container in task exited", lines=lines, **BROKEN)

    with pytest.raises(PartialError) as caught:
        resource.create(inputs, call)

    text = caught.value.sentence()
    assert text.startswith(f"A task of the service {SERVICE} stopped. Dagster+ does not accept the agent's token.\n")
    assert f"Task {task.id} stopped: Essential container in task exited." in text
    assert "dagster ended with 1" in text
    assert "401 Client Error" in text
    assert "0123456789abcdef" not in text
    assert "rotate-token" in text.rpartition("Next:")[2]
    assert caught.value.outputs["steady"] is False
    assert resource.diff(inputs, caught.value.outputs, inputs) == [Change("steady", "update", replaces=False)]


def test_a_stop_that_was_told_of_does_not_end_the_next_wait(lab, resource, inputs, call):
    service = lab.service(running=0)
    lab.task(SERVICE, stopped_reason="CannotPullContainerError: x: not found", **BROKEN)
    with pytest.raises(PartialError) as caught:
        resource.create(inputs, call)

    service.running_count, service.pending_count = 1, 0
    service.deployments[0] |= {"runningCount": 1, "pendingCount": 0}
    lab.task(SERVICE)

    found = resource.update(caught.value.id, caught.value.outputs, inputs, call)
    assert found.outputs["steady"], "somebody pushed the image meanwhile, and ECS tried again"


def test_tasks_of_another_definition_and_wanted_stops_do_not_count(lab, resource, inputs, call):
    lab.service(definition=lab.definition)
    lab.task(SERVICE)
    other = lab.define("other")
    lab.task(SERVICE, definition=other, stopped_reason="Essential container in task exited", **BROKEN)
    lab.task(
        SERVICE,
        status="STOPPED",
        stop_code="ServiceSchedulerInitiated",
        stopped_reason="Scaling activity initiated by x",
    )
    assert resource.create(inputs, call).outputs["steady"]


def test_what_passes_by_itself_is_waited_for_until_it_does_not_pass(lab, resource, inputs, call, report):
    lab.service(running=0)
    reason = "Timeout waiting for network interface provisioning to complete."

    def stops():
        lab.task(SERVICE, stopped_reason=reason, status="STOPPED", stop_code="TaskFailedToStart")

    stops()
    steps(lab, stops, stops)
    with pytest.raises(PartialError, match="network interface or disk ready in time"):
        resource.create(inputs, call)
    assert [kind for kind, _ in report.said].count("warning") == 2, "the third is no bad luck any more"


def test_a_roll_out_that_ecs_takes_back_is_told_of(lab, resource, inputs, call):
    service = lab.service(running=0)

    def taken_back():
        failed = dict(service.deployments[0], status="ACTIVE", rolloutState="FAILED", failedTasks=3,
                      rolloutStateReason="ECS deployment circuit breaker: tasks failed to start.")  # fmt: skip
        old = lab.define("old")
        back = {"status": "PRIMARY", "taskDefinition": old, "rolloutState": "IN_PROGRESS",
                "rolloutStateReason": "ECS deployment circuit breaker: rolling back"}  # fmt: skip
        service.deployments = [failed | back, failed]
        service.task_definition = old
        lab.event(service, "(service x) (deployment y) deployment failed: tasks failed to start.")

    steps(lab, taken_back)
    with pytest.raises(PartialError) as caught:
        resource.create(inputs, call)
    text = caught.value.sentence()
    assert f"ECS gave up rolling out the service {SERVICE}." in text
    assert "circuit breaker: tasks failed to start." in text
    assert "It runs old:1 and not hybrid-test-agent:1." in text
    assert "deployment failed: tasks failed to start" in text


def test_what_ecs_gave_up_is_rolled_out_anew_by_the_next_wait(lab, resource, inputs, call, report):
    service = lab.service(rollout="FAILED")
    lab.task(SERVICE)

    def rolled(parameters):
        assert parameters["forceNewDeployment"] is True
        assert parameters["taskDefinition"] == lab.definition
        lab.change(service, rollout="IN_PROGRESS")

    lab.hooks["UpdateService"] = rolled
    assert resource.create(inputs, call).outputs["steady"]
    assert report.said[0] == ("info", f"the service {SERVICE} did not run what it should, and is rolled out anew"), (
        "Pulumi sees nothing to do, and ECS does not try again"
    )


def test_what_cannot_even_be_started_is_told_from_the_services_events(lab, resource, inputs, call):
    service = lab.service(desired=1, running=0)
    service.pending_count = 0
    service.deployments[0]["pendingCount"] = 0
    lab.event(service, "(service x) failed to launch a task with (error ECS was unable to assume the role "
              "'arn:aws:iam::123456789012:role/x' that was provided for this task.).")  # fmt: skip
    with pytest.raises(PartialError, match="ECS cannot start a task") as caught:
        resource.create(inputs, call)
    assert "trust ecs-tasks.amazonaws.com" in caught.value.sentence()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lab: lab.backend.services.clear(), "There is no active service"),
        (lambda lab: setattr(lab.backend.services[f"{CLUSTER}:{SERVICE}"], "status", "DRAINING"), "no active service"),
        (lambda lab: setattr(lab.backend.services[f"{CLUSTER}:{SERVICE}"], "desired_count", 0), "is to run no task"),
    ],
    ids=["gone", "draining", "scaled to nothing"],
)
def test_what_no_waiting_mends_ends_the_wait(lab, resource, inputs, call, change, said):
    lab.service(running=0)
    change(lab)
    with pytest.raises(PartialError, match=said) as caught:
        resource.create(inputs, call)
    assert "--refresh" in caught.value.sentence()


def test_a_wait_that_takes_too_long_says_how_far_it_came(lab, resource, inputs, call):
    service = lab.service(running=0)
    lab.event(service, "(service x) was unable to place a task. Reason: Capacity is unavailable at this time.")
    with pytest.raises(
        PartialError, match=r"After 0\.01 s the service .* is not steady: 0 of 1 tasks run, 1 start"
    ) as caught:
        resource.create(inputs | {"timeoutSeconds": 0.01}, call)
    assert "Capacity is unavailable" in caught.value.sentence()


def test_a_cancellation_ends_the_wait(lab, resource, inputs, call):
    lab.service(running=0)
    call.cancelled.set()
    with pytest.raises(CancelledError):
        resource.create(inputs, call)


def test_a_service_that_does_not_run_is_drift(lab, resource, inputs, call, report):
    before = {"startedAt": "", "instance": "x", "runningCount": 1, "steady": True, "lastStop": ""}
    assert resource.read("id", inputs, before, call) is None
    service = lab.service()
    task = lab.task(SERVICE)
    stands = resource.read("id", inputs, before, call).outputs
    assert stands["instance"] != "x", "its tasks are others than those that were seen"
    task._status = "STOPPED"
    assert resource.read("id", inputs, before, call) is None
    service.running_count = 0
    assert resource.read("id", inputs, before, call) is None
    assert report.said[-1] == ("warning", f"the service {SERVICE} does not run as it should")


def test_another_account_is_refused_and_a_wrong_one_named(lab, resource, inputs, call):
    from hybrid.aws.errors import AwsWrongAccount

    with pytest.raises(AwsWrongAccount):
        resource.create(inputs | {"account": "999999999999"}, call)
    (failure,) = resource.check(inputs | {"account": "12"})
    assert failure.reason == "must be twelve digits, not '12'"
    assert boto3.client("sts", region_name=REGION).get_caller_identity()["Account"] == ACCOUNT


def test_another_patience_is_no_reason_to_wait_again(resource, inputs):
    assert resource.diff(inputs, {"steady": True}, inputs | {"timeoutSeconds": 9, "awaitHealth": False}) == []
    (change,) = resource.diff(inputs, {"steady": True}, inputs | {"taskDefinition": "x:2"})
    assert change == Change("taskDefinition", "update", replaces=False)
