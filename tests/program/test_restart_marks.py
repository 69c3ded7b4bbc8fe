"""A preview by Pulumi's real engine says what restarts an agent on ECS: the component in a program, AWS's plugin or
its stand-in (the header says which), and the engine's own event log. What AWS makes of a definition that it gives back,
moto cannot show; `tests/unit/agent/test_ecs_restarts.py` has that case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid.engine import events
from hybrid.engine.engine import Outcome
from tests.aws.fixtures import MakeProgram
from tests.aws.program import AwsProgram
from tests.aws.served import served

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(900)]

PLANTED = "swordfish-of-a-test"


def agent(cpu: int = 256, tags: dict[str, str] | None = None, group: str = "a", **said: object) -> Callable[[], None]:
    """A program with the agent's component; ``group`` decides about a log group that a change makes anew."""

    def program() -> None:
        import pulumi
        import pulumi_aws as aws

        from agent.ecs import EcsAgent, EcsAgentArgs
        from agent.ecs_ground import EcsGround, EcsGroundArgs
        from agent.ecs_names import EcsNames
        from agent.ecs_spec import EcsAgentSpec
        from tests.aws.moto_server import ACCOUNT, REGION

        names = EcsNames.of("prod", ACCOUNT, REGION)
        provider = aws.Provider("aws", region=REGION, default_tags={"tags": tags or {}})
        opts = pulumi.ResourceOptions(providers=[provider])
        own = pulumi.ResourceOptions(provider=provider)
        namespace = {"id": "ns-0123456789abcdef", "name": "acme.internal"}
        spec = EcsAgentSpec.model_validate({"kind": "ecs", "cpu": cpu, "namespace": namespace, **said})
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.20.0.0/16", opts=own)
        subnet = aws.ec2.Subnet("subnet", vpc_id=vpc.id, cidr_block="10.20.0.0/24", opts=own)
        tasks = aws.ec2.SecurityGroup(f"tasks-{group}", name=f"tasks-{group}", vpc_id=vpc.id, opts=own)
        ground = EcsGround("ground", EcsGroundArgs(spec, names, vpc_id=vpc.id, log_retention_days=30), opts)
        role = names.arn("iam", "role/x", region=False)
        args = EcsAgentArgs(
            spec=spec,
            names=names,
            ground=ground,
            deployment="prod",
            label="hybrid-prod",
            agent_url="https://acme.agent.dagster.cloud",
            token_secret_arn=names.arn("secretsmanager", "secret:x-AbCdEf"),
            subnet_ids=[subnet.id],
            assign_public_ip=False,
            agent_security_group_ids=[tasks.id],
            code_security_group_ids=["sg-0123456789abcdef0"],
            agent_role_arn=role,
            agent_execution_role_arn=role,
            code_role_arn=role,
            code_execution_role_arn=role,
        )
        EcsAgent("agent", args, opts)

    return program


@pytest.fixture(scope="module")
def standing(aws_programs: MakeProgram) -> AwsProgram:
    program = aws_programs()
    program.declare(agent())
    program.up()
    return program


def previewed(standing: AwsProgram, folder: Path, program: Callable[[], None]) -> Outcome:
    """What a preview of ``program`` says, with a refresh before it as `hybrid preview` has one."""
    log = folder / "events"
    with served(program) as address:
        client = [f"--client={address}", "--exec-kind", "auto.inline"]
        done = standing._run("preview", "--refresh=true", "--event-log", str(log), *client)
    assert done.returncode == 0, done.stdout
    outcome = Outcome()
    for event in events.follow(log, ended=lambda: True):
        outcome.take(event)
    return outcome


def test_an_unchanged_agent_goes_on(standing: AwsProgram, tmp_path: Path) -> None:
    outcome = previewed(standing, tmp_path, agent())
    assert (outcome.restarts.documents(), outcome.changes) == ([], {})


def test_each_setting_that_restarts_the_agent_is_named_and_no_value(standing: AwsProgram, tmp_path: Path) -> None:
    program = agent(512, environment={"STAGE": PLANTED}, queues={"additional": [PLANTED]})
    outcome = previewed(standing, tmp_path, program)
    (mark,) = outcome.restarts.documents()
    assert mark["resource"] == "TaskDefinition agent-task"
    for reason in ("`cpu` of its task", "the variable STAGE", "`agent_queues.additional_queues` of its dagster.yaml"):
        assert reason in mark["because"]
    assert PLANTED not in repr(mark)
    assert outcome.changes["replace"] == 1, "the engine's three steps are one replacement"


def test_other_tags_on_aws_s_side_are_no_restart(standing: AwsProgram, tmp_path: Path) -> None:
    outcome = previewed(standing, tmp_path, agent(tags={"team": "data"}))
    assert outcome.changes.get("update"), "the tags do change"
    assert outcome.restarts.documents() == []


def test_another_group_around_the_agent_is_a_restart_by_its_service(standing: AwsProgram, tmp_path: Path) -> None:
    outcome = previewed(standing, tmp_path, agent(group="b"))
    (mark,) = outcome.restarts.documents()
    assert mark == {"resource": "Service agent-service", "because": ["`networkConfiguration` of its service"]}


def test_more_replicas_are_no_restart_of_those_that_run(standing: AwsProgram, tmp_path: Path) -> None:
    outcome = previewed(standing, tmp_path, agent(replicas=2))
    assert outcome.changes, "the service gets another number"
    assert outcome.restarts.documents() == []
