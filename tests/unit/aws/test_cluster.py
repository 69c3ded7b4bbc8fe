"""The typed look at a cluster, against moto: what is the stack's, what the agent made, and what is gone. moto knows
ECS's shapes; it has no scheduler, so how states follow each other is for a real account."""

from __future__ import annotations

import time

import pytest

from hybrid.aws import discovery, logs, made, services, tasks
from hybrid.aws.diagnosis import diagnosed
from hybrid.aws.errors import AwsDenied, AwsError
from hybrid.aws.tags import STACK_TAG, location_hash
from tests.unit.aws.motolab import CLUSTER, GROUP, NOW, SERVICE, STACK

pytestmark = pytest.mark.unit

OTHER = {STACK_TAG: "hybrid-other"}
RUN = {STACK_TAG: STACK, "dagster/run_id": "0f3a2b1c-aaaa", "dagster/job_name": "nightly"}


def test_only_what_bears_the_stacks_tag_is_the_stacks(lab, aws):
    lab.service()
    lab.server("hello")
    lab.service("stranger", tags={})
    lab.service("neighbour", tags=OTHER)
    assert sorted(one.name for one in services.services_of(aws, CLUSTER, STACK)) == ["hello-prod-abc123", SERVICE]
    assert len(services.services_in(aws, CLUSTER)) == 4


def test_more_services_than_one_page_are_all_told(lab, aws):
    for index in range(12):
        lab.server(f"l{index}")
    assert len(services.services_of(aws, CLUSTER, STACK)) == 12, "DescribeServices takes ten at a time"


def test_a_service_tells_its_deployment_and_what_ecs_said(lab, aws):
    service = lab.service(desired=2, running=1, rollout="IN_PROGRESS")
    lab.event(service, "(service x) has started 1 tasks")
    found = services.service_named(aws, CLUSTER, SERVICE)
    assert (found.desired, found.running, found.pending) == (2, 1, 1)
    assert found.primary.rollout == "IN_PROGRESS"
    assert found.primary.task_definition == lab.definition
    assert [event.message for event in found.events_since(NOW)] == ["(service x) has started 1 tasks"]
    assert not found.is_of_agent


def test_what_is_not_there_is_none_and_not_an_error(lab, aws):
    assert services.service_named(aws, CLUSTER, "nobody") is None
    assert services.service_named(aws, "no-cluster", "nobody") is None
    assert services.services_in(aws, "no-cluster") == []
    assert tasks.tasks_in(aws, "no-cluster") == []
    assert not services.remove_service(aws, CLUSTER, "nobody")


def test_a_service_is_scaled_down_and_deleted_and_once_more_is_fine(lab, aws):
    lab.server("hello")
    lab.calls.clear()
    assert services.remove_service(aws, CLUSTER, "hello-prod-abc123")
    assert [call for call in lab.calls if call != "GetCallerIdentity"] == ["UpdateService", "DeleteService"]
    assert services.services_in(aws, CLUSTER) == []
    services.remove_service(aws, CLUSTER, "hello-prod-abc123")


def test_a_service_that_is_draining_already_is_deleted_all_the_same(lab, aws):
    lab.server("hello")
    lab.refuse("UpdateService", "ServiceNotActiveException")
    assert services.remove_service(aws, CLUSTER, "hello-prod-abc123")


def test_what_may_not_be_deleted_is_an_error(lab, aws):
    lab.server("hello")
    lab.refuse("DeleteService", "AccessDeniedException")
    with pytest.raises(AwsDenied, match="delete the service hello-prod-abc123"):
        services.remove_service(aws, CLUSTER, "hello-prod-abc123")


def test_tasks_are_told_by_service_and_by_what_is_wanted_of_them(lab, aws):
    lab.task(SERVICE)
    lab.task(SERVICE, status="STOPPED", stopped_reason="because", stop_code="EssentialContainerExited", exit_code=1)
    lab.task("other")
    (running,) = tasks.tasks_in(aws, CLUSTER, service=SERVICE)
    (stopped,) = tasks.tasks_in(aws, CLUSTER, service=SERVICE, wanted="STOPPED")
    assert (running.service, running.family, running.status) == (SERVICE, "hybrid-test-agent", "RUNNING")
    assert (stopped.stopped_reason, stopped.containers[0].exit_code) == ("because", 1)
    assert stopped.stopped > stopped.created


def test_a_task_that_is_still_stopping_is_unfinished(lab, aws):
    lab.task(tags=RUN, status="DEPROVISIONING")
    lab.task(tags=RUN, status="STOPPED")
    assert [task.status for task in tasks.unfinished_tasks(aws, CLUSTER)] == ["DEPROVISIONING"], (
        "it still holds its network interface, and with it the security group"
    )


def test_stopping_a_task_that_is_gone_is_no_error(lab, aws):
    lab.refuse("StopTask", "InvalidParameterException", "The referenced task was not found.")
    tasks.stop_task(aws, CLUSTER, "arn:x/gone", "why")
    lab.refuse("StopTask", "InvalidParameterException", "Invalid id")
    with pytest.raises(AwsError, match="refused to stop the task x"):
        tasks.stop_task(aws, CLUSTER, "x", "why")


def test_servers_runs_and_strays_are_told_apart(lab, aws):
    lab.service()
    lab.server("hello")
    own, server, run = lab.task(SERVICE), lab.task("hello-prod-abc123"), lab.task(tags=RUN)
    draining = lab.task("gone-prod-000000", status="DEPROVISIONING")
    lab.task(tags=OTHER | {"dagster/run_id": "x"})
    lab.task("stranger", tags={})
    seen = made.made_in(aws, CLUSTER, SERVICE, STACK)
    assert seen.agent.name == SERVICE
    assert [task.arn for task in seen.agent_tasks] == [own.task_arn]
    assert [(one.service.location, one.tasks[0].arn) for one in seen.servers] == [("hello", server.task_arn)]
    assert [task.arn for task in seen.runs] == [run.task_arn]
    assert [task.arn for task in seen.strays] == [draining.task_arn]
    assert seen.leftovers == 3
    assert seen.orphans(["a1"]) == []
    assert len(seen.orphans(["a2"])) == 1, "its agent is not among those that Dagster+ knows"


def test_the_hash_of_a_location_is_the_agents_own():
    from dagster_cloud.workspace.user_code_launcher.utils import deterministic_label_for_location

    for deployment, location in (("prod", "hello"), ("my-branch", "a b/c")):
        assert location_hash(deployment, location) == deterministic_label_for_location(deployment, location)


def test_the_stacks_tag_is_the_one_that_the_program_puts_on():
    from agent import ecs_names

    assert ecs_names.STACK_TAG == STACK_TAG, "drain and status find nothing by another key"


def test_the_last_lines_of_a_task_are_redacted_and_in_order(lab, aws):
    lines = [f"line {index}" for index in range(40)] + ["token agent:acme:" + "0123456789abcdef" * 2]
    task = lab.task(SERVICE, lines=lines)
    (found,) = tasks.tasks_named(aws, CLUSTER, [task.task_arn])
    told = logs.lines_of(aws, found, 3)
    assert told[:2] == ["line 38", "line 39"]
    assert "0123456789abcdef" not in told[2]


def test_a_task_that_never_logged_has_no_lines(lab, aws):
    (found,) = tasks.tasks_named(aws, CLUSTER, [lab.task(SERVICE).task_arn])
    assert logs.lines_of(aws, found) == []


def test_a_log_is_followed_and_each_line_is_told_once(lab, aws):
    task = lab.task(SERVICE, lines=["one", "two"])
    told, looks = [], 0

    class Enough(Exception):
        pass

    def wait(seconds):
        nonlocal looks
        looks += 1
        if looks == 1:
            lab.logs.put_log_events(
                logGroupName=GROUP, logStreamName=f"hybrid-test-agent/dagster/{task.id}",
                logEvents=[{"timestamp": int(time.time() * 1000) + 5000, "message": "three"}],
            )  # fmt: skip
        if looks == 3:
            raise Enough

    with pytest.raises(Enough):
        told.extend((line.message, line.task) for line in logs.followed(aws, GROUP, NOW, wait, prefix="hybrid-test"))
    assert told == [("one", task.id), ("two", task.id), ("three", task.id)]


def test_a_log_group_that_is_not_there_has_no_lines(aws):
    assert logs.lines_since(aws, "/nobody", NOW) == []


def test_a_diagnosis_tells_reason_end_log_and_cause(lab, aws):
    task = lab.task(
        SERVICE, status="STOPPED", stop_code="EssentialContainerExited", exit_code=1,
        stopped_reason="Essential container in task exited",
        lines=["starting", "401 Client Error: Unauthorized for url: https://acme.agent.dagster.cloud/graphql"],
    )  # fmt: skip
    (found,) = tasks.tasks_named(aws, CLUSTER, [task.task_arn])
    assert diagnosed(aws, found).paragraph() == (
        f"Task {task.id} stopped: Essential container in task exited.\n"
        "Container dagster ended with 1.\n"
        "The end of its log:\n"
        "  starting\n"
        "  401 Client Error: Unauthorized for url: https://acme.agent.dagster.cloud/graphql\n"
        "Likely cause: Dagster+ does not accept the agent's token."
    )


def test_a_log_that_may_not_be_read_leaves_the_reason(lab, aws):
    task = lab.task(SERVICE, status="STOPPED", stopped_reason="CannotPullContainerError: x: not found")
    (found,) = tasks.tasks_named(aws, CLUSTER, [task.task_arn])
    lab.refuse("GetLogEvents", "AccessDeniedException")
    text = diagnosed(aws, found).paragraph()
    assert "Its log could not be read: AWS does not allow this identity" in text
    assert "Likely cause: The image is not in its registry." in text


def test_names_of_another_namespace_are_left_out(lab, aws):
    ours, theirs = lab.namespace("a.local"), lab.namespace("b.local")
    lab.register(ours, "hello")
    lab.register(theirs, "stranger")
    assert [one.name for one in discovery.registered_in(aws, ours)] == ["hello"], "whatever ListServices gives"
    assert discovery.namespace_exists(aws, ours)
    assert not discovery.namespace_exists(aws, "ns-nobody")


def test_a_name_goes_with_its_addresses_and_once_more_is_fine(lab, aws):
    namespace = lab.namespace()
    lab.register(namespace, "hello", instances=2)
    (found,) = discovery.registered_in(aws, namespace)
    assert discovery.remove_registered(aws, found, lambda seconds: None)
    assert lab.names_left() == []
    assert lab.calls.count("DeregisterInstance") == 2
    assert discovery.remove_registered(aws, found, lambda seconds: None), "gone is gone"


def test_a_name_that_is_in_use_again_is_to_be_tried_once_more(lab, aws):
    namespace = lab.namespace()
    lab.register(namespace, "hello")
    (found,) = discovery.registered_in(aws, namespace)
    lab.refuse("DeleteService", "ResourceInUse")
    assert not discovery.remove_registered(aws, found, lambda seconds: None)
    assert discovery.remove_registered(aws, found, lambda seconds: None)
