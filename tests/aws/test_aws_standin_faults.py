"""What goes wrong in the middle: waits that end, Ctrl-C, a call that AWS refuses. The next update ends right."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pulumi
import pulumi_aws as aws
import pytest

from tests.aws.moto_server import REGION, Moto
from tests.aws.program import AwsProgram

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(600)]


def service(cluster: str, *, waits: bool, seconds: int | None = None) -> Callable[[], None]:
    """A service that in moto never runs. ``waits``: whether it is waited for; ``seconds``: for how long."""

    def program() -> None:
        own = pulumi.ResourceOptions(provider=aws.Provider("aws", region=REGION))
        subnets = aws.ec2.get_subnets(opts=pulumi.InvokeOptions(provider=own.provider)).ids[:1]
        containers = [{"name": "one", "image": "one", "memory": 128}]
        task = aws.ecs.TaskDefinition(
            "task",
            family="task",
            network_mode="awsvpc",
            container_definitions=json.dumps(containers),
            opts=own,
        )
        limits = pulumi.CustomTimeouts(create=f"{seconds}s") if seconds else None
        aws.ecs.Service(
            "service",
            name="service",
            cluster=cluster,
            task_definition=task.arn,
            desired_count=1,
            network_configuration={"subnets": subnets},  # without it moto answers with an empty one
            wait_for_steady_state=waits,
            opts=pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(custom_timeouts=limits)),
        )

    return program


@pytest.fixture
def cluster(moto: Moto) -> str:
    """A cluster of the test's own, made quicker than the provider would."""
    name = f"cluster-{uuid.uuid4().hex[:8]}"
    moto.client("ecs").create_cluster(clusterName=name)
    return name


def test_what_was_made_but_not_well_is_kept_and_goes_on(aws_program: AwsProgram, moto: Moto, cluster: str) -> None:
    aws_program.declare(service(cluster, waits=True, seconds=3))
    failed = aws_program.up(succeeds=False)
    assert "timeout while waiting for state" in failed.said, (
        f"the custom time-out must be the provider's:\n{failed.said}"
    )
    kept = aws_program.resources()["service"]
    assert kept["id"].endswith(f"service/{cluster}/service"), "what stands must be in the state"
    assert "timeout while waiting" in kept["initErrors"][0], "with what is wrong"
    aws_program.declare(service(cluster, waits=False))
    assert aws_program.up().changes["service"] == "update", "the next update goes on from it"
    assert "initErrors" not in aws_program.resources()["service"], "and all is well"
    listed = moto.client("ecs").list_services(cluster=cluster)["serviceArns"]
    assert len(listed) == 1, "it was not made twice"


def test_an_interrupt_ends_a_long_wait_and_leaves_no_process(aws_program: AwsProgram, moto: Moto, cluster: str) -> None:
    aws_program.declare(service(cluster, waits=True))  # twenty minutes, the provider's own limit
    ecs = moto.client("ecs")
    run = aws_program.interrupted_up(when=lambda: ecs.list_services(cluster=cluster)["serviceArns"])
    assert run.code != 0, "it was stopped"
    assert "exited prematurely" not in run.said, "the plugin ends in order"
    assert "service" in aws_program.resources(), f"what was begun must be in the state:\n{run.said}"
    assert aws_program.processes() == [], "neither the plugin nor the provider may outlive the engine"


def test_a_policy_that_is_replaced_is_there_afterwards(aws_program: AwsProgram, moto: Moto) -> None:
    def program(days: int) -> Callable[[], None]:
        def declare() -> None:
            own = pulumi.ResourceOptions(provider=aws.Provider("aws", region=REGION))
            repository = aws.ecr.Repository("images", name="images", opts=own)
            selection = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days"}
            rule = {"rulePriority": 1, "selection": {**selection, "countNumber": days}, "action": {"type": "expire"}}
            aws.ecr.LifecyclePolicy(
                "expiry", repository=repository.name, policy=json.dumps({"rules": [rule]}), opts=own
            )

        return declare

    aws_program.declare(program(14))
    aws_program.up()
    aws_program.declare(program(30))
    done = aws_program.up()
    operations = [step.operation for step in done.steps if step.name == "expiry"]
    assert operations == ["delete-replaced", "replace", "create-replacement"], "the old one goes first"
    text = moto.client("ecr").get_lifecycle_policy(repositoryName="images")["lifecyclePolicyText"]
    assert json.loads(text)["rules"][0]["selection"]["countNumber"] == 30, "the new one must have outlived the old"


def test_after_a_failure_in_the_middle_the_next_up_goes_on(aws_program: AwsProgram, moto: Moto) -> None:
    def program() -> None:
        own = pulumi.ResourceOptions(provider=aws.Provider("aws", region=REGION))
        first = aws.cloudwatch.LogGroup("first", name="/first", opts=own)
        taken = aws.cloudwatch.LogGroup(
            "taken", name="/taken", opts=pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(depends_on=[first]))
        )
        pulumi.export("arn", taken.arn)

    logs = moto.client("logs")
    logs.create_log_group(logGroupName="/taken")
    aws_program.declare(program)
    failed = aws_program.up(succeeds=False)
    assert "ResourceAlreadyExistsException" in failed.said, f"AWS's reason must be shown:\n{failed.said}"
    assert set(aws_program.resources()) >= {"first"}, "what was made before is kept"
    logs.delete_log_group(logGroupName="/taken")
    assert aws_program.up().changes == {"taken": "create"}, "the rest is made, nothing twice"
