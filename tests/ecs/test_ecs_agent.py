"""The real agent on the double of ECS, from nothing to a finished run and back to nothing, with the project's own task
definition and policies, each enforced.

It shows what the agent asks of AWS and that the policies grant that. It cannot show AWS's own opinion, nor networks:
the double's is flat. test_ecs_agent_phases.py has the slower phases.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ecs.account import Account
from tests.ecs.agent import StandingAgent
from tests.emulated.served import ServedOrganization
from tests.standins.ecs.client import EcsLab

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def agent(
    ecs_lab: EcsLab, ecs_agent_image: str, ecs_location_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StandingAgent]:
    with ServedOrganization(tmp_path_factory.mktemp("plus"), "--also-listen", ecs_lab.gateway) as plus:
        account = Account(ecs_lab, "quick", plus.agent_token()).make()
        standing = StandingAgent(ecs_lab, plus, account, ecs_agent_image)
        standing.deploy("shop", ecs_location_image)
        standing.start()
        yield standing


def test_an_agent_comes_up_loads_a_location_runs_a_job_and_leaves_nothing(agent: StandingAgent) -> None:
    agent.until_running()
    agent.until_loaded("shop")

    run = agent.plus.until_status(agent.plus.launch("shop", "greet"), "SUCCESS", "FAILURE", seconds=90)

    assert run["status"] == "SUCCESS", "a run is a task of its own with the role of user code"
    _roles_are_apart(agent)
    agent.stop()
    assert agent.account.code_servers() == [], "on SIGTERM the agent deletes its code servers' services"
    assert agent.account.cloud_map_services() == [], "and their names"
    agent.until(lambda: not agent.lab.containers(), seconds=60, what="no container is left")
    denied = [f"{call.operation}: {call.reason}" for call in agent.lab.calls if not call.allowed]
    assert denied == [], "the project's policies grant all that the agent asks of AWS"


def _roles_are_apart(agent: StandingAgent) -> None:
    calls, roles = agent.lab.calls, agent.account.roles
    by_agent = {call.service for call in calls if call.role == roles["agent"]}
    assert not by_agent & {"ec2", "secretsmanager"}, "with a named secret and a said address the agent asks neither"
    readers = {call.role for call in calls if call.operation == "GetSecretValue"}
    assert readers == {roles["agent-execution"], roles["code-execution"]}, "secrets are read by ECS, not by tasks"
    assert agent.account.token not in agent.account.log(), "the token is in no log"
