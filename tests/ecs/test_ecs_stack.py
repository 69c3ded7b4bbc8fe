"""The ECS stack from end to end, as `hybrid up` makes it: Pulumi's real engine and the whole program, a real registry,
the real agent in a task, code servers and runs in theirs, each with the credentials and policies of its own role. AWS
is the double of ECS, Dagster+ the embedded one, and Pulumi's aws plugin the stand-in where the official one cannot be
had (the header of the test session says which it was).

The tests of this module follow one stack through its life, in order. They cannot show networks (the double's is flat),
AWS's own opinion of a policy, nor how long AWS takes.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.containers.stand import Containers
from tests.ecs.ecs_checkout import EcsCheckout
from tests.emulated.served import ServedOrganization
from tests.emulated.stack_checkout import STACK
from tests.standins.ecs.client import EcsLab
from tests.standins.ecs.record import RecordedCall

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(1200)]

_READS = ("Describe", "Get", "List", "Head", "BatchGet")


@pytest.fixture(scope="module")
def stack(
    ecs_lab: EcsLab,
    containers: Containers,
    ecs_agent_image: str,
    aws_plugin_path: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[EcsCheckout]:
    said = ["--also-listen", ecs_lab.gateway, "--organization", "acme", "--deployment", STACK]
    with ServedOrganization(tmp_path_factory.mktemp("plus"), *said) as plus:
        root = tmp_path_factory.mktemp("stack")
        place = EcsCheckout(root, ecs_lab, plus, containers, ecs_agent_image, aws_plugin_path)
        yield place
        place.destroy()


@pytest.fixture(scope="module")
def arm_image(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image for other processors than the stack's tasks have, by digest."""
    context = tmp_path_factory.mktemp("arm")
    (context / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    reference = f"{containers.registry}/ecs-lab/arm:1"
    containers.run("build", "--quiet", "--platform", "linux/arm64", "--tag", reference, str(context))
    containers.run("push", "--quiet", reference)
    return containers.run("inspect", "--format", "{{index .RepoDigests 0}}", reference).strip()


def writes(calls: list[RecordedCall]) -> list[str]:
    """Those of the person's; tasks that run go on with their own, such as the shipping of their logs."""
    return [call.name for call in calls if call.role is None and not call.operation.startswith(_READS)]


def servers_of(stack: EcsCheckout) -> dict[str, int]:
    """How many code servers each location has."""
    return {location: len(containers) for location, containers in stack.servers().items()}


def alone(stack: EcsCheckout) -> None:
    """Wait until the last agent's predecessor has ended, and its servers with it."""
    stack.until(
        lambda: len(stack.agent_tasks()) == 1 and servers_of(stack) == {"alpha": 1, "beta": 1},
        seconds=150,
        what="one agent runs with its own servers",
    )


def test_a_preview_changes_nothing_anywhere(stack: EcsCheckout) -> None:
    answer = stack.hybrid("preview", STACK)

    assert answer.code == 0, answer.err
    assert writes(stack.lab.calls) == [], "a preview only reads"
    assert stack.lab.calls, "but it does look at the account"
    assert stack.tokens() == {}, "and makes no token"
    assert not list(stack.checkout.root.glob("locations/*/build.*.yaml")), "nor a file"


def test_up_ends_when_all_locations_are_loaded_from_the_images_that_were_pushed(stack: EcsCheckout) -> None:
    stack.up()

    status = stack.status()
    assert [agent["status"] for agent in status["agents"]] == ["RUNNING"]
    assert {each["name"]: each["load_status"] for each in status["locations"]} == {"alpha": "LOADED", "beta": "LOADED"}
    for location in status["locations"]:
        repository = f"{stack.settings['registry']['address']}/{location['name']}@sha256:"
        assert location["image"].startswith(repository), "a tag could be moved; a digest is what was pushed"


def test_the_status_shows_the_service_and_what_the_agent_made(stack: EcsCheckout) -> None:
    standing = stack.status()["ecs"]

    assert standing["problem"] is None
    service = standing["service"]
    assert (service["running"], service["desired"]) == (1, 1)
    assert [task["health"] for task in service["tasks"]] == ["HEALTHY"], "the reconciliation sentinel is there"
    assert {server["location"] for server in standing["code_servers"]} == {"alpha", "beta"}
    assert not any(server["orphan"] for server in standing["code_servers"])


def test_a_run_writes_to_the_bucket_as_user_code_and_not_as_the_agent(stack: EcsCheckout) -> None:
    answer = stack.hybrid("run", STACK, "alpha", "keeping", "--json")
    assert answer.code == 0, f"{answer.err}\n{stack.trouble()}"

    run = answer.document["run_id"]
    kept = stack.client("s3").get_object(Bucket=stack.names.bucket, Key=f"assets/{run}")["Body"].read()
    assert kept == b"one"
    (put,) = [call for call in stack.lab.calls if call.operation == "PutObject"]
    assert str(put.role).endswith(f"role/{stack.names.role('code')}")


def test_the_logs_of_agent_and_run_are_read_from_cloudwatch(stack: EcsCheckout) -> None:
    said = stack.hybrid("agent", "logs", STACK, "-n", "2000")
    assert said.code == 0, said.err
    assert "dagster_cloud.agent" in said.out

    (put,) = [call for call in stack.lab.calls if call.operation == "PutObject"]
    of_run = stack.hybrid("agent", "logs", STACK, "--run", put.params["Key"].rpartition("/")[2], "-n", "2000")
    assert of_run.code == 0, of_run.err
    assert "RUN_SUCCESS" in of_run.out, "what the process of a run writes; what a step writes goes to Dagster+"


def test_an_up_with_nothing_to_do_touches_nothing(stack: EcsCheckout) -> None:
    before, servers = len(stack.lab.calls), stack.servers()

    answer = stack.up()

    assert "Nothing had to change" in answer.err, answer.err
    assert writes(stack.lab.calls[before:]) == []
    assert stack.servers() == servers, "no code server was started anew"


def test_a_change_of_code_touches_its_own_location_only(stack: EcsCheckout) -> None:
    images, servers = stack.images(), stack.servers()
    stack.code("alpha", "two")

    stack.up()

    after = stack.images()
    assert after["alpha"] != images["alpha"], "another content is another digest"
    assert after["beta"] == images["beta"]
    assert stack.servers()["beta"] == servers["beta"], "the other location's server goes on"
    assert stack.servers()["alpha"].isdisjoint(servers["alpha"]), "this one's is new"


@pytest.mark.parametrize("wrong", ["missing", "another processor"])
def test_an_image_that_cannot_run_is_refused_before_the_agent_is_told(
    stack: EcsCheckout, arm_image: str, wrong: str
) -> None:
    settings, servers, images = stack.settings, stack.servers(), stack.images()
    missing = f"{settings['registry']['address']}/alpha@sha256:{'0' * 64}"
    stack.settings = {**settings, "pins": {"alpha": missing if wrong == "missing" else arm_image}}

    answer = stack.hybrid("up", STACK, "--yes")

    stack.settings = settings
    assert answer.code != 0
    said = f"There is no image {missing}" if wrong == "missing" else "is for linux/arm64, the task is linux/amd64"
    assert said in answer.err, answer.err
    assert stack.images() == images, "Dagster+ was told nothing"
    assert stack.servers() == servers, "so the old code server goes on"
    stack.up()


def test_a_grant_that_somebody_takes_away_is_put_back(stack: EcsCheckout) -> None:
    iam, role = stack.client("iam"), stack.names.role("code-execution")
    policies = iam.list_role_policies(RoleName=role)["PolicyNames"]
    for policy in policies:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
    servers = stack.servers()

    answer = stack.up()

    assert "created RolePolicy code-execution-start" in answer.err, answer.err
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == policies
    assert stack.servers() == servers, "what runs has started with it, and goes on"


def test_a_grant_that_does_not_count_is_named_before_the_agent_is_told(stack: EcsCheckout) -> None:
    iam, role, servers = stack.client("iam"), stack.names.role("code-execution"), stack.servers()
    denial = {"Effect": "Deny", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [denial]})
    iam.put_role_policy(RoleName=role, PolicyName="somebody", PolicyDocument=document)
    stack.code("alpha", "three")

    answer = stack.hybrid("up", STACK, "--yes")

    iam.delete_role_policy(RoleName=role, PolicyName="somebody")
    assert answer.code != 0
    assert f"The role {role} may not read the secret" in answer.err, answer.err
    assert stack.servers() == servers, "the agent would have removed the old server for one that cannot start"
    stack.up()
    assert stack.servers()["alpha"].isdisjoint(servers["alpha"]), "allowed again, the change comes through"


def test_code_that_fails_in_its_container_shows_its_traceback(stack: EcsCheckout) -> None:
    stack.code("alpha", "four", broken=True)

    answer = stack.hybrid("up", STACK, "--yes")

    assert answer.code != 0
    assert "only in the container" in answer.err, answer.err
    assert "definitions.py" in answer.err, "a traceback says where"
    stack.code("alpha", "five")
    stack.up()


def test_a_second_agent_has_servers_of_its_own_and_takes_them_with_it(stack: EcsCheckout) -> None:
    more = stack.hybrid("agent", "scale", STACK, "2", "--yes")
    assert more.code == 0, more.err
    stack.until(lambda: servers_of(stack) == {"alpha": 2, "beta": 2}, seconds=120, what="each agent has its servers")
    assert len(stack.agent_tasks()) == 2

    less = stack.hybrid("agent", "scale", STACK, "1", "--yes")
    assert less.code == 0, less.err
    alone(stack)
    assert stack.settings["agent"].get("replicas", 1) == 1, "the stack's file says what stands"


def test_a_restart_leaves_no_moment_without_an_agent(stack: EcsCheckout) -> None:
    before = set(stack.agent_tasks())
    seen: list[tuple[int, frozenset[str]]] = []

    restart, said = stack.start("agent", "restart", STACK, "--yes"), ""
    while restart.returncode is None:
        seen.append((len(stack.agent_tasks()), frozenset(stack.plus.load_states(STACK).values())))
        with suppress(subprocess.TimeoutExpired):
            _, said = restart.communicate(timeout=0.2)

    assert restart.returncode == 0, said
    assert before.isdisjoint(stack.agent_tasks()), "another agent runs"
    assert min(count for count, _ in seen) >= 1, "at each moment one ran"
    assert max(count for count, _ in seen) == 2, "the new one beside the old one"
    states = frozenset().union(*(loaded for _, loaded in seen))
    assert states <= {"LOADED", "LOADING"}, f"and no location showed an error: {states}"


def test_a_new_token_takes_the_place_of_the_former_one(stack: EcsCheckout) -> None:
    (before,) = [token for token, good in stack.tokens().items() if good]
    alone(stack)

    answer = stack.hybrid("agent", "rotate-token", STACK, "--yes", "--wait-seconds", "120")

    assert answer.code == 0, f"{answer.err}\n{stack.trouble()}"
    (after,) = [token for token, good in stack.tokens().items() if good]
    assert after != before
    run = stack.hybrid("run", STACK, "beta", "keeping", "--json")
    assert run.code == 0, f"code and agent have the new token:\n{run.err}\n{stack.trouble()}"


def test_an_agent_image_that_is_not_there_is_told_by_its_reason_while_the_old_agent_goes_on(stack: EcsCheckout) -> None:
    alone(stack)
    good, before = stack.settings["agent"]["image"], stack.agent_tasks()
    stack.change("agent", image=f"{good.partition('@')[0]}:no-such-tag")

    answer = stack.hybrid("up", STACK, "--yes")

    assert answer.code != 0
    assert "CannotPullContainerError" in answer.err, answer.err
    assert "The image is not in its registry" in answer.err, "and the likely cause"
    assert stack.agent_tasks() == before, "the old agent goes on"
    assert set(stack.plus.load_states(STACK).values()) == {"LOADED"}
    stack.change("agent", image=good)
    stack.up()


def test_no_text_in_aws_has_the_token(stack: EcsCheckout) -> None:
    token = stack.client("secretsmanager").get_secret_value(SecretId=stack.names.token_secret)["SecretString"]
    ecs = stack.client("ecs")
    arns = ecs.list_task_definitions()["taskDefinitionArns"]
    definitions = [ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"] for arn in arns]

    assert len({each["family"] for each in definitions}) >= 5, "the agent's, two servers', two runs'"
    assert token not in json.dumps(definitions, default=str)
    assert token not in (stack.lab.folder / "calls.jsonl").read_text()
    assert token not in stack.agent_log()


def test_down_waits_for_the_agent_and_leaves_nothing_but_data(stack: EcsCheckout) -> None:
    answer = stack.hybrid("down", STACK, "--yes")
    assert answer.code == 0, f"{answer.err}\n{stack.trouble()}"

    assert not stack.lab.containers(), "no task is left"
    assert stack.services() == {}
    assert stack.names_of_cloud_map() == []
    iam, ec2 = stack.client("iam"), stack.client("ec2")
    assert iam.list_roles()["Roles"] == []
    own = [{"Name": "tag:dagster-hybrid/stack", "Values": [stack.names.base]}]
    assert ec2.describe_vpcs(Filters=own)["Vpcs"] == [], "the network is gone"
    assert stack.client("logs").describe_log_groups()["logGroups"] == []
    assert [bucket["Name"] for bucket in stack.client("s3").list_buckets()["Buckets"]] == [stack.names.bucket]
    assert not any(stack.tokens().values()), "the token is revoked"
    assert stack.plus.load_states(STACK) == {}, "and Dagster+ knows none of its locations"


def test_what_the_agent_needs_went_after_its_last_task(stack: EcsCheckout) -> None:
    ended = max(
        event["at"]
        for event in stack.lab.events
        if event["what"] == "task stopped" and event["family"] == stack.names.task_family
    )
    ours = [call for call in stack.lab.calls if call.role is None]
    told = max(call.at for call in ours if call.operation == "DeleteService" and call.service == "ecs")
    needed = {"DeleteRole", "DeleteRolePolicy", "DeleteNamespace", "DeleteCluster", "DeleteRoute", "DeleteNatGateway"}
    gone = [call for call in ours if call.operation in needed and call.at > told]

    assert {call.operation for call in gone} == needed, "all of it went"
    early = [f"{call.name} {ended - call.at:.1f} s before" for call in gone if call.at < ended]
    assert early == [], "an agent without roles and a way out cleans up nothing"


def test_nobody_was_denied_anything_but_what_a_test_had_taken_away(stack: EcsCheckout) -> None:
    assert [f"{call.name}: {call.reason}" for call in stack.denied()] == []
