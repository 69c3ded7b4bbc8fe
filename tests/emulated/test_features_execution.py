"""How runs go and end: pools, retries, processes, hooks, logs, re-execution, cancellation, a killed worker.

Real: the agent with its launcher, code servers and run workers. All results are read back by Dagster's own GraphQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated.checkout import Checkout, until
from tests.emulated.dagster_api import DagsterApi, location_code

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

LOCATION = "executed"

_SET_LIMIT = """mutation SetConcurrencyLimit($concurrencyKey: String!, $limit: Int!) {
  setConcurrencyLimit(concurrencyKey: $concurrencyKey, limit: $limit) }"""
_SLOTS = """query Slots($concurrencyKey: String!) { instance { concurrencyLimit(concurrencyKey: $concurrencyKey) {
  slotCount claimedSlots { runId stepKey } pendingSteps { runId stepKey assignedTimestamp } } } }"""
_REEXECUTE = """mutation LaunchPipelineReexecution($reexecutionParams: ReexecutionParams!) {
  launchPipelineReexecution(reexecutionParams: $reexecutionParams) { __typename
    ... on LaunchRunSuccess { run { runId } } ... on Error { message } } }"""
_TERMINATE = """mutation Terminate($runIds: [String!]!) {
  terminateRuns(runIds: $runIds, terminatePolicy: SAFE_TERMINATE) {
  __typename ... on TerminateRunsResult { terminateRunResults { __typename ... on Error { message } } } } }"""
_LOGS = """query Logs($logKey: [String!]!) { capturedLogs(logKey: $logKey) { stdout stderr } }"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[Checkout]:
    place = Checkout(tmp_path_factory.mktemp("executed") / "checkout", shared=environments)
    place.location(LOCATION, location_code(LOCATION))
    place.up()
    yield place
    place.destroy()


@pytest.fixture
def dagster(stack: Checkout) -> Iterator[DagsterApi]:
    stack.gate.unlink(missing_ok=True)
    yield DagsterApi(stack)
    stack.gate.write_text("")


def test_a_run_gets_its_config_and_tags_and_its_output_is_kept(dagster: DagsterApi) -> None:
    config = {"ops": {"greet": {"config": {"name": "Ada"}}}}
    run_id = dagster.launch(LOCATION, "greeting", config=config, team="blue")
    dagster.succeed(run_id)
    assert "greeted Ada for blue" in dagster.messages(run_id), "op config and run tags reach user code"
    captured = next(event for event in dagster.events(run_id) if event["__typename"] == "LogsCapturedEvent")
    kept = until(
        lambda: (found := dagster.one(_LOGS, logKey=[run_id, "compute_logs", captured["logKey"]]))["stdout"] and found,
        seconds=30,
        what="the captured output is there",
    )
    assert "standard output for Ada" in kept["stdout"]
    assert "standard error for Ada" in kept["stderr"]


def test_a_config_that_user_code_does_not_know_is_refused_before_anything_runs(dagster: DagsterApi) -> None:
    with pytest.raises(AssertionError, match="RunConfigValidationInvalid"):
        dagster.launch(LOCATION, "greeting", config={"ops": {"greet": {"config": {"nonsense": 1}}}})


@pytest.mark.slow  # six processes of Dagster's
def test_dynamic_outputs_run_in_processes_of_their_own_with_a_hook_after_each(dagster: DagsterApi) -> None:
    run_id = dagster.launch(LOCATION, "spreading")
    dagster.succeed(run_id)
    said = dagster.messages(run_id)
    assert "total 12" in said, "1, 2 and 3 doubled"
    steps = {step["stepKey"] for step in dagster.run(run_id)["stepStats"]}
    assert {"double[part_1]", "double[part_2]", "double[part_3]"} <= steps, "each mapped step has its own record"
    assert sum(message.startswith("hook after double") for message in said) == 3, "a hook runs after each step"


def test_a_step_that_stumbles_is_tried_again_by_its_policy(dagster: DagsterApi) -> None:
    run_id = dagster.launch(LOCATION, "stumbling")
    dagster.succeed(run_id)
    events = [event["__typename"] for event in dagster.events(run_id)]
    assert events.count("ExecutionStepUpForRetryEvent") == 2
    assert events.count("ExecutionStepRestartEvent") == 2


def test_a_failed_run_is_executed_again_from_where_it_failed(dagster: DagsterApi) -> None:
    first = dagster.launch(LOCATION, "rerun")
    assert dagster.ended(first) == "FAILURE"
    answer = dagster.one(_REEXECUTE, reexecutionParams={"parentRunId": first, "strategy": "FROM_FAILURE"})
    assert answer["__typename"] == "LaunchRunSuccess", answer
    second = answer["run"]["runId"]
    dagster.succeed(second)
    run = dagster.run(second)
    assert (run["parentRunId"], run["rootRunId"]) == (first, first)
    assert [step["stepKey"] for step in run["stepStats"]] == ["end_in_a_rerun"], "what had succeeded is not run again"
    assert "ended with 7" in dagster.messages(second), "its input is the first run's output"


def test_a_failed_run_is_retried_as_often_as_its_tag_says(dagster: DagsterApi) -> None:
    first = dagster.launch(LOCATION, "rerun", dagster__max_retries="1", dagster__retry_strategy="FROM_FAILURE")
    assert dagster.ended(first) == "FAILURE"
    retried = until(
        lambda: dagster.runs(dagster__parent_run_id=first), seconds=45, what="Dagster has launched the retry"
    )
    dagster.succeed(retried[0]["runId"])
    assert dagster.run(retried[0]["runId"])["tags"]["dagster/retry_number"] == "1"
    assert dagster.run(first)["tags"]["dagster/auto_retry_run_id"] == retried[0]["runId"]


def test_a_run_is_canceled_by_its_agent(stack: Checkout, dagster: DagsterApi) -> None:
    run_id = dagster.launch(LOCATION, "holding")
    until(lambda: dagster.status(run_id) == "STARTED", seconds=60, what="the run has started")
    answer = dagster.one(_TERMINATE, runIds=[run_id])
    assert [one["__typename"] for one in answer["terminateRunResults"]] == ["TerminateRunSuccess"], answer
    assert dagster.ended(run_id) == "CANCELED"
    until(lambda: not stack.commands("execute_run", run_id), seconds=30, what="the run's worker is gone")


def test_two_runs_share_the_only_slot_of_a_pool(stack: Checkout, dagster: DagsterApi) -> None:
    assert dagster.one(_SET_LIMIT, concurrencyKey="press", limit=1) is True
    runs = {dagster.launch(LOCATION, "pressing") for _ in range(2)}

    def slots() -> tuple[set[str], set[str]]:
        limit = dagster.one(_SLOTS, concurrencyKey="press")["concurrencyLimit"]
        assert len(limit["claimedSlots"]) <= 1, "there is one slot"
        claimed = {slot["runId"] for slot in limit["claimedSlots"]}
        return claimed, {step["runId"] for step in limit["pendingSteps"]} - claimed

    until(lambda: [len(group) for group in slots()] == [1, 1], seconds=90, what="one run has the slot, one waits")
    assert set.union(*slots()) == runs
    stack.gate.write_text("")
    dagster.succeed(*runs)
    assert slots() == (set(), set()), "the slot is free again, and nobody waits for it"


@pytest.mark.slow  # the agent says it in its next heartbeat, within 30 s
def test_a_killed_run_worker_ends_its_run_in_failure(stack: Checkout, dagster: DagsterApi) -> None:
    run_id = dagster.launch(LOCATION, "holding")
    until(lambda: dagster.status(run_id) == "STARTED", seconds=60, what="the run has started")
    (worker,) = stack.commands("execute_run", run_id)
    worker.kill()
    assert dagster.ended(run_id, seconds=60) == "FAILURE", "as soon as the agent's next heartbeat says so"
    reason = "\n".join(dagster.messages(run_id))
    assert re.search(rf"process {worker.pid} .*is gone", reason), f"the reason is what the agent saw:\n{reason}"
