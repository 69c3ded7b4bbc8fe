"""Several real agents at once: queues, isolation, branch deployments, code servers that end when nobody asks.

Each test has a full deployment of its own in one organization, and its own agents. What Dagster+'s own server does
between agents is not known; shown is that agents and the embedded Dagster+ agree.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from agent.spec import LocalAgentSpec
from tests.emulated.checkout import until
from tests.emulated.served import RunningAgent, ServedOrganization

pytestmark = [pytest.mark.emulated, pytest.mark.timeout(240)]

CODE = """
import dagster as dg

@dg.op
def work(context: dg.OpExecutionContext) -> None:
    context.log.info("done")

@dg.op
def wait_long() -> None:
    import time
    time.sleep(100)

@dg.job(executor_def=dg.in_process_executor)
def working() -> None:
    work()

@dg.job(executor_def=dg.in_process_executor)
def waiting() -> None:
    wait_long()

defs = dg.Definitions(jobs=[working, waiting])
"""
TERMINATE = (
    "mutation($id: String!, $policy: TerminateRunPolicy) { terminateRun(runId: $id, terminatePolicy: $policy) "
    "{ __typename ... on TerminateRunFailure { message } } }"
)


@pytest.fixture(scope="module")
def plus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedOrganization]:
    with ServedOrganization(tmp_path_factory.mktemp("plus")) as served:
        yield served


@pytest.fixture
def agents(plus: ServedOrganization) -> Iterator[None]:
    """The agents that a test starts are gone after it."""
    yield
    for agent in plus.agents:
        agent.destroy()
    plus.agents.clear()


pytestmark.append(pytest.mark.usefixtures("agents"))


@pytest.mark.slow
def test_two_agents_share_a_deployments_runs_and_none_runs_twice(plus: ServedOrganization) -> None:
    deployment = plus.full_deployment("shared")
    token = plus.agent_token()
    both = [plus.start_agent(f"shared-{number}", deployment=deployment, token=token) for number in (1, 2)]
    plus.location("alpha", CODE, deployment=deployment)
    plus.until_loaded("alpha", deployment=deployment)
    until(
        lambda: all(plus.agent_states(deployment).get(agent.label) == "RUNNING" for agent in both),
        seconds=60,
        what="both agents are RUNNING",
    )
    runs = [plus.launch("alpha", "working", deployment=deployment) for _ in range(6)]
    for run in runs:
        found = plus.until_status(run, "SUCCESS", "FAILURE", deployment=deployment, seconds=90)
        assert found["status"] == "SUCCESS", found["events"]
        assert found["events"].count("RUN_START") == 1, "a request that is handed to both would start the run twice"
        assert found["events"].count("STEP_SUCCESS") == 1, found["events"]
    assert plus.run(runs[0], deployment="prod")["status"] is None, "another deployment must not see the runs"


@pytest.mark.slow
def test_a_location_is_served_by_the_agents_of_its_queue_only(plus: ServedOrganization) -> None:
    deployment = plus.full_deployment("queues")
    plus.location("common", CODE, deployment=deployment)
    plus.location("special", CODE, deployment=deployment, queue="large")
    usual = plus.start_agent("usual", deployment=deployment)
    plus.until_loaded("common", deployment=deployment)
    assert plus.load_states(deployment)["special"] == "LOADING", "nobody serves its queue yet"
    large = LocalAgentSpec.model_validate({"queues": {"includeDefault": False, "additional": ["large"]}})
    other = plus.start_agent("large", large, deployment=deployment)
    plus.until_loaded("special", deployment=deployment)
    assert (len(usual.code_servers()), len(other.code_servers())) == (1, 1), "each serves its own location and no more"
    for location, agent in (("common", usual), ("special", other)):
        run = plus.launch(location, "working", deployment=deployment)
        found = plus.until_status(run, "SUCCESS", deployment=deployment)
        by = plus.agent_ids(deployment)[agent.label]
        assert found["tags"]["dagster/agent_id"] == by, "the run has to be launched by the agent of its queue"


@pytest.mark.slow
def test_a_run_of_an_isolated_agent_ends_itself_when_it_is_terminated(plus: ServedOrganization) -> None:
    deployment = plus.full_deployment("isolated")
    plus.location("alpha", CODE, deployment=deployment)
    plus.start_agent("isolated", LocalAgentSpec(isolated=True), deployment=deployment)
    plus.until_loaded("alpha", deployment=deployment)
    run = plus.launch("alpha", "waiting", deployment=deployment)
    until(
        lambda: "STEP_START" in plus.run(run, deployment=deployment)["events"], seconds=60, what="the run is under way"
    )
    answer = plus.ask(TERMINATE, deployment=deployment, id=run, policy="SAFE_TERMINATE")
    assert answer["terminateRun"]["__typename"] == "TerminateRunSuccess", answer
    found = plus.until_status(run, "CANCELED", "FAILURE", deployment=deployment, seconds=90)
    assert found["status"] == "CANCELED", "its worker sees by itself that it is to end"


@pytest.mark.slow
def test_a_branch_deployment_is_loaded_on_demand_and_keeps_its_runs_to_itself(plus: ServedOrganization) -> None:
    branch = plus.branch_deployment("feature/x")
    agent = plus.start_agent(
        "branches",
        LocalAgentSpec.model_validate({"branchDeployments": True}),
        changes={"user_code_launcher": {"config": {"server_ttl": {"branch_deployments": {"ttl_seconds": 8}}}}},
    )
    until(lambda: plus.agent_states().get("branches") == "RUNNING", seconds=60, what="the agent is RUNNING")
    assert plus.agent_states(branch).get("branches") == "RUNNING", "it takes the branch deployment's requests"
    assert agent.code_servers() == [], "nothing is deployed yet"
    plus.location("alpha", CODE, deployment=branch)
    plus.until_loaded("alpha", deployment=branch)
    run = plus.launch("alpha", "working", deployment=branch)
    assert plus.until_status(run, "SUCCESS", deployment=branch)["status"] == "SUCCESS"
    assert plus.run(run)["status"] is None, "the full deployment must not see the branch's runs"
    assert "alpha" not in plus.load_states(), "nor its locations"
    until(lambda: not agent.code_servers(), seconds=60, what="the idle code server ends after its time to live")
    again = plus.launch("alpha", "working", deployment=branch)
    assert plus.until_status(again, "SUCCESS", deployment=branch)["status"] == "SUCCESS", "a request brings it back"


@pytest.mark.slow
def test_an_idle_code_server_of_a_full_deployment_ends_when_the_agent_is_told_so(plus: ServedOrganization) -> None:
    deployment = plus.full_deployment("idle")
    plus.location("alpha", CODE, deployment=deployment)
    ttl = {"full_deployments": {"enabled": True, "ttl_seconds": 8}}
    agent = plus.start_agent(
        "idle", deployment=deployment, changes={"user_code_launcher": {"config": {"server_ttl": ttl}}}
    )
    plus.until_loaded("alpha", deployment=deployment)
    until(lambda: not agent.code_servers(), seconds=60, what="the idle code server ends")
    assert plus.load_states(deployment)["alpha"] == "LOADED", "its definitions stay"
    ping = plus.ask(
        'mutation { pingLocation(locationName: "alpha") { __typename ... on Error { message } } }',
        deployment=deployment,
    )
    assert "Error" not in ping["pingLocation"]["__typename"], ping
    until(agent.code_servers, seconds=60, what="a ping brings the code server back")


@pytest.mark.slow
def test_a_run_that_was_ended_before_an_agent_came_is_not_launched(plus: ServedOrganization) -> None:
    deployment = plus.full_deployment("late")
    plus.location("alpha", CODE, deployment=deployment)
    agent = plus.start_agent("late", deployment=deployment)
    plus.until_loaded("alpha", deployment=deployment)
    run = _launched_and_not_taken(plus, agent, deployment)
    plus.ask(TERMINATE, deployment=deployment, id=run, policy="MARK_AS_CANCELED_IMMEDIATELY")
    assert plus.run(run, deployment=deployment)["status"] == "CANCELED"
    agent.process.send_signal(signal.SIGCONT)
    again = plus.launch("alpha", "working", deployment=deployment)
    plus.until_status(again, "SUCCESS", deployment=deployment)
    found = plus.run(run, deployment=deployment)
    assert found["status"] == "CANCELED", "it was ended, so it stays ended"
    assert "RUN_START" not in found["events"], "no worker may have begun it"


@pytest.mark.slow
def test_what_was_stored_in_an_organization_with_one_deployment_is_found_after_a_kill(plus: ServedOrganization) -> None:
    deployment = plus.full_deployment("kept")
    plus.location("alpha", CODE, deployment=deployment)
    plus.start_agent("kept", deployment=deployment)
    plus.until_loaded("alpha", deployment=deployment)
    run = plus.launch("alpha", "working", deployment=deployment)
    plus.until_status(run, "SUCCESS", deployment=deployment)
    plus.kill()
    plus.start()
    assert plus.load_states(deployment) == {"alpha": "LOADED"}, "definitions are on disk"
    assert plus.run(run, deployment=deployment)["status"] == "SUCCESS"
    again = plus.launch("alpha", "working", deployment=deployment)
    found = plus.until_status(again, "SUCCESS", deployment=deployment, seconds=120)
    assert found["events"].count("RUN_START") == 1


def _launched_and_not_taken(plus: ServedOrganization, agent: RunningAgent, deployment: str) -> str:
    """A run whose launch waits for the agent, which is held. The agent asks twice a second, so it may have been quicker
    than the hold; then once more."""
    for _ in range(10):
        run = plus.launch("alpha", "waiting", deployment=deployment)
        agent.process.send_signal(signal.SIGSTOP)
        plus.until_status(run, "STARTING", "STARTED", deployment=deployment)
        if plus.pending_requests():
            return run
        agent.process.send_signal(signal.SIGCONT)
    raise AssertionError("the agent was quicker ten times")
