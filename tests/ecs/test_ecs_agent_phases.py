"""The real agent on the double of ECS through all phases of its life, with the project's own task definition and
policies: updates, runs that end each way, faults and what Dagster+ says of them, rolls, scaling, the end.

It cannot show networks (the double's is flat), AWS's own opinion of a policy, nor how long AWS takes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.containers.stand import Containers
from tests.ecs import images
from tests.ecs.account import Account
from tests.ecs.agent import StandingAgent
from tests.emulated.served import ServedOrganization
from tests.standins.ecs.client import EcsLab

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

TERMINATE = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"


@pytest.fixture(scope="module")
def agent(
    ecs_lab: EcsLab, ecs_agent_image: str, ecs_location_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StandingAgent]:
    with ServedOrganization(tmp_path_factory.mktemp("plus"), "--also-listen", ecs_lab.gateway) as plus:
        account = Account(ecs_lab, "phases", plus.agent_token()).make()
        standing = StandingAgent(ecs_lab, plus, account, ecs_agent_image)
        standing.deploy("shop", ecs_location_image)
        standing.start()
        standing.until_loaded("shop")
        yield standing


@pytest.fixture(scope="module")
def newer_image(containers: Containers, ecs_agent_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("newer")
    return images.location_image(containers, folder, ecs_agent_image, f"{images.CODE}\nNEWER = True\n", name="newer")


@contextmanager
def lacking(agent: StandingAgent, role: str, sid: str) -> Iterator[None]:
    """The role lacks a statement within the block."""
    agent.account.without(role, sid)
    try:
        yield
    finally:
        agent.account.allow(role, agent.account.statements()[role])


def test_an_updated_location_has_a_new_server_and_the_old_one_goes(agent: StandingAgent, newer_image: str) -> None:
    (before,) = agent.account.code_servers()

    agent.deploy("shop", newer_image)

    agent.until(lambda: agent.server_image("shop") == newer_image, seconds=90, what="the new image runs")
    agent.until(lambda: before not in agent.account.code_servers(), seconds=60, what="the old server is gone")
    agent.until_loaded("shop")
    agent.until(
        lambda: len(agent.account.cloud_map_services()) == 1, seconds=30, what="the old server's name has gone with it"
    )


def test_a_run_ends_as_its_code_does(agent: StandingAgent) -> None:
    good, bad = agent.plus.launch("shop", "greet"), agent.plus.launch("shop", "fall")

    assert agent.plus.until_status(good, "SUCCESS", "FAILURE", seconds=90)["status"] == "SUCCESS"
    assert agent.plus.until_status(bad, "SUCCESS", "FAILURE", seconds=90)["status"] == "FAILURE"


def test_a_terminated_run_is_canceled_and_its_task_stops(agent: StandingAgent) -> None:
    run = agent.plus.launch("shop", "nap")
    agent.plus.until_status(run, "STARTED", seconds=90)
    (task,) = agent.account.tasks(family=f"{agent.account.names.run_prefix}_")

    agent.plus.ask(TERMINATE, id=run)

    agent.plus.until_status(run, "CANCELED", seconds=60)
    agent.until(lambda: not agent.lab.containers_of(task["taskArn"]), seconds=60, what="the run's task has stopped")


def test_a_killed_run_is_reported_as_failed(agent: StandingAgent, containers: Containers) -> None:
    run = agent.plus.launch("shop", "nap")
    agent.plus.until_status(run, "STARTED", seconds=90)
    (task,) = agent.account.tasks(family=f"{agent.account.names.run_prefix}_")

    containers.run("kill", *agent.lab.containers_of(task["taskArn"]))

    agent.plus.until_status(run, "FAILURE", seconds=120)
    read = [call for call in agent.lab.calls if call.operation == "GetLogEvents" and call.session]
    assert read, "the agent reads the last lines of a worker that died"
    assert all(call.allowed for call in read)


def test_an_image_that_is_not_there_is_said_in_awss_words(agent: StandingAgent, ecs_location_image: str) -> None:
    agent.deploy("typo", f"{ecs_location_image.partition('@')[0]}:no-such-tag")

    said = agent.error_of("typo")

    assert "CannotPullContainerError" in said
    agent.deploy("typo", ecs_location_image)
    agent.until(lambda: agent.server_image("typo") == ecs_location_image, seconds=120, what="it is mended")
    agent.until(lambda: agent.plus.load_states().get("typo") == "LOADED", seconds=90, what="it is loaded")


def test_a_removed_location_leaves_no_server(agent: StandingAgent) -> None:
    assert any(name for name in agent.account.cloud_map_services() if name.startswith("typo")), "there is one to remove"

    agent.remove("typo")

    names = agent.account.cloud_map_services
    agent.until(lambda: not any(name.startswith("typo") for name in names()), seconds=90, what="its name is gone")
    agent.until(lambda: len(agent.account.code_servers()) == 1, seconds=60, what="its service is gone")


def test_a_role_that_may_not_be_passed_is_named(agent: StandingAgent, ecs_location_image: str) -> None:
    with lacking(agent, "agent", "PassCodeRoles"):
        agent.deploy("unpassed", ecs_location_image)
        said = agent.error_of("unpassed", seconds=180)

    assert "AccessDeniedException" in said
    assert "iam:PassRole" in said
    agent.remove("unpassed")


def test_a_secret_that_may_not_be_read_is_named(agent: StandingAgent, ecs_location_image: str) -> None:
    with lacking(agent, "code-execution", "ReadSecrets"):
        agent.deploy("unread", ecs_location_image)
        said = agent.error_of("unread", seconds=180)

    assert "ResourceInitializationError: unable to pull secrets or registry auth" in said
    assert agent.account.token_secret in said
    agent.remove("unread")
    agent.until(lambda: len(agent.account.code_servers()) == 1, seconds=90, what="its service is gone")


def test_a_new_agent_takes_over_without_a_gap(agent: StandingAgent) -> None:
    (before,) = agent.account.tasks(family=agent.account.names.task_family)
    (server,) = agent.account.code_servers()

    agent.account.update_service(taskDefinition=agent.definition(generation="second"))
    states = []
    until = time.monotonic() + 180
    while len(agent.account.service()["deployments"]) > 1 and time.monotonic() < until:
        states.append((agent.plus.load_states()["shop"], agent.account.service()["runningCount"]))
        time.sleep(0.2)

    (after,) = agent.account.tasks(family=agent.account.names.task_family)
    assert after["taskArn"] != before["taskArn"]
    assert {state for state, _ in states} <= {"LOADED", "LOADING"}, "no moment with an error"
    assert min(count for _, count in states) >= 1, "at each moment an agent ran"
    assert agent.account.service()["deployments"][0]["rolloutState"] == "COMPLETED", "the sentinel made it healthy"
    agent.until(
        lambda: server not in agent.account.code_servers(), seconds=120, what="the old agent has drained itself"
    )
    agent.until_loaded("shop")
    run = agent.plus.until_status(agent.plus.launch("shop", "greet"), "SUCCESS", "FAILURE", seconds=90)
    assert run["status"] == "SUCCESS", "the new agent's servers answer"


def test_a_second_agent_brings_its_own_servers_and_takes_them_with_it(agent: StandingAgent) -> None:
    agent.account.update_service(desiredCount=2)
    agent.until(lambda: len(agent.account.code_servers()) == 2, seconds=90, what="each agent has a server")

    agent.account.update_service(desiredCount=1)
    agent.until(lambda: len(agent.account.code_servers()) == 1, seconds=150, what="one agent's server is gone")
    agent.until_loaded("shop")


def test_an_agent_by_itself_stops_the_task_of_a_terminated_run(agent: StandingAgent) -> None:
    """One that shares its deployment (Dagster's isolated agents) leaves that to the run's worker, which asks Dagster+
    whether it is canceled (dagster_cloud/agent/dagster_cloud_agent.py, TERMINATE_RUN)."""
    stops = lambda: [call for call in agent.lab.calls if call.operation == "StopTask"]  # noqa: E731
    assert stops() == [], "until here agents were isolated"
    (server,) = agent.account.code_servers()
    agent.account.update_service(taskDefinition=agent.definition(zeroDowntime=False))
    agent.until(lambda: len(agent.account.service()["deployments"]) == 1, seconds=150, what="it has taken over")
    agent.until(lambda: server not in agent.account.code_servers(), seconds=120, what="the other one has drained")
    agent.until_loaded("shop")
    run = agent.plus.launch("shop", "nap")
    agent.plus.until_status(run, "STARTED", seconds=90)

    agent.plus.ask(TERMINATE, id=run)

    agent.plus.until_status(run, "CANCELED", seconds=60)
    assert [call.role for call in stops()] == [agent.account.roles["agent"]]


def test_a_deleted_service_drains_to_nothing(agent: StandingAgent) -> None:
    agent.stop()

    assert agent.account.code_servers() == [], "the agent deletes its services before it ends"
    assert agent.account.cloud_map_services() == []
    agent.until(lambda: not agent.lab.containers(), seconds=60, what="no container is left")
    agents = agent.account.tasks(family=agent.account.names.task_family, status="STOPPED")
    assert {one["containers"][0]["exitCode"] for one in agents} != {137}, "it ended by itself within its stop time-out"


def test_only_what_was_taken_away_was_denied(agent: StandingAgent) -> None:
    denied = {
        call.reason.partition("perform: ")[2].partition(" on ")[0] for call in agent.lab.calls if not call.allowed
    }

    assert denied == {"iam:PassRole", "secretsmanager:GetSecretValue"}


def test_every_action_that_the_agent_is_granted_was_used(agent: StandingAgent) -> None:
    role = agent.account.roles["agent"]
    used = {one.split()[0] for call in agent.lab.calls if call.role == role and call.allowed for one in call.needed}
    granted = {action for one in agent.account.statements()["agent"] for action in one.actions}

    assert used <= granted, "what is used is granted by name"
    assert granted - used == set(), "what nobody uses need not be granted"
