"""What goes wrong with a stack on ECS, by Pulumi's real engine: AWS refuses in the middle, somebody presses Ctrl-C, or
deletes by hand. The next command ends right, or says what to do. The tests of this module follow one stack, in order.

The account is moto's, behind the plugin that the session's header names, and refuses what a test names; Dagster+ is an
emulator, and the phase is `prepare`.
"""

from __future__ import annotations

import signal

import pytest

from tests.aws.ecs_stack import NAMES, STACK, EcsStack
from tests.emulated.checkout import Answer, until
from tests.ports import free_port

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def settings_as_they_were(ecs_stack: EcsStack) -> None:
    ecs_stack.reset()


def up(stack: EcsStack) -> Answer:
    answer = stack.hybrid("up", "prod", "--yes")
    assert answer.code == 0, f"`hybrid up prod` ended with {answer.code}:\n{answer.err}"
    return answer


def settle(stack: EcsStack) -> None:
    run = stack.pulumi("up", "--expect-no-changes")
    assert run.code == 0, f"the same settings must change nothing:\n{run.said}"
    assert not any(each.get("initErrors") for each in stack.resources().values()), "nothing is half made"


# in the middle


def test_what_aws_refuses_in_the_middle_is_said_and_what_was_made_is_known(ecs_stack: EcsStack) -> None:
    with ecs_stack.moto.refusing("iam:PutRolePolicy code-execution", "s3:PutBucketLifecycleConfiguration"):
        answer = ecs_stack.hybrid("up", "prod", "--yes")
    assert answer.code == 5, answer.err
    assert "RolePolicy code-execution-" in answer.err.partition("failed.")[2], f"which one is said:\n{answer.err}"
    assert "refused by a test" in answer.err, "with AWS's own words"
    assert "hybrid up prod" in answer.err.rpartition("→")[2], f"and what next:\n{answer.err}"
    assert "Traceback" not in answer.err
    standing = ecs_stack.resources()
    assert "code-execution-role" in standing, "what was made is in the state"
    assert ecs_stack.client("iam").get_role(RoleName=NAMES.role("code-execution")), "and in the account"
    assert not {"code-execution-pull", "agent-service"} & set(standing), "what waits for it was not made"


def test_a_stop_in_the_middle_leaves_nothing_unknown(ecs_stack: EcsStack) -> None:
    ecs_stack.write()
    process = ecs_stack.checkout.start("up", "prod", "--yes", **ecs_stack.variables)
    s3 = ecs_stack.client("s3")

    def waits() -> bool:
        try:
            return bool(s3.get_bucket_lifecycle_configuration(Bucket=NAMES.bucket))
        except s3.exceptions.ClientError:
            return False

    until(waits, seconds=120, what="the bucket has its rules, for which the provider waits 50 s more")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 130, err
    assert "goes on from here" in err, err
    assert "Traceback" not in out + err, err
    roles = [each["RoleName"] for each in ecs_stack.client("iam").list_roles()["Roles"]]
    known = {each["id"] for each in ecs_stack.resources().values() if each["type"] == "aws:iam/role:Role"}
    assert set(roles) == known, "each role that was made is in the state"


def test_the_next_update_ends_right_and_makes_nothing_twice(ecs_stack: EcsStack) -> None:
    up(ecs_stack)
    settle(ecs_stack)
    ec2 = ecs_stack.client("ec2")
    assert len([each for each in ec2.describe_vpcs()["Vpcs"] if not each["IsDefault"]]) == 1
    states = [each["State"] for each in ec2.describe_nat_gateways()["NatGateways"]]
    assert states == ["available"], "one way out, and one that is paid for"
    assert len(ecs_stack.good_tokens()) == 1, "one token"


# a standing stack, and nobody who answers


def test_without_dagster_plus_nothing_is_taken_to_be_gone(ecs_stack: EcsStack) -> None:
    before = ecs_stack.state()
    ecs_stack.settings["url"] = f"http://127.0.0.1:{free_port()}"
    with ecs_stack.moto.recorded() as calls:
        answer = ecs_stack.hybrid("preview", "prod")
    assert answer.code == 8, answer.err
    assert "Traceback" not in answer.err
    assert not [call for call in calls if not call.reads]
    assert ecs_stack.state() == before, "nothing was changed"


def test_another_account_s_credentials_take_nothing_down(ecs_stack: EcsStack) -> None:
    ecs_stack.change("aws", account="999999999999")
    with ecs_stack.moto.recorded() as calls:
        answer = ecs_stack.hybrid("down", "prod", "--yes")
    assert answer.code != 0, answer.err
    assert "The AWS credentials are of account" in answer.err, answer.err
    assert not [call for call in calls if not call.reads]


def test_expired_credentials_change_nothing_on_the_way_down(ecs_stack: EcsStack) -> None:
    before = set(ecs_stack.resources())
    with ecs_stack.moto.refusing("sts:GetCallerIdentity", code="ExpiredToken"), ecs_stack.moto.recorded() as calls:
        answer = ecs_stack.hybrid("down", "prod", "--yes")
    assert answer.code != 0
    assert "expired" in answer.err.lower(), answer.err
    assert not [call for call in calls if not call.reads], "nothing was taken away"
    assert set(ecs_stack.resources()) >= before - {"agent-state", "ready"}, "statements may go, things may not"
    assert ecs_stack.good_tokens(), "the agent works on"
    up(ecs_stack)


# deleted by hand


def test_a_role_that_was_deleted_by_hand_is_made_again_with_its_policies(ecs_stack: EcsStack) -> None:
    iam, name = ecs_stack.client("iam"), NAMES.role("code")
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)
    up(ecs_stack)
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["assets"]
    settle(ecs_stack)


def test_a_secret_that_waits_for_its_deletion_is_told_of_and_taken_up_when_restored(ecs_stack: EcsStack) -> None:
    secrets = ecs_stack.client("secretsmanager")
    secrets.delete_secret(SecretId=NAMES.token_secret)
    answer = ecs_stack.hybrid("up", "prod", "--yes")
    assert answer.code != 0
    assert "deleted" in answer.err, f"what is wrong with it must be said:\n{answer.err}"
    secrets.restore_secret(SecretId=NAMES.token_secret)
    up(ecs_stack)
    settle(ecs_stack)


def test_a_secret_that_is_gone_is_made_again_and_the_agent_gets_it(ecs_stack: EcsStack) -> None:
    secrets, before = ecs_stack.client("secretsmanager"), ecs_stack.token()
    secrets.delete_secret(SecretId=NAMES.token_secret, ForceDeleteWithoutRecovery=True)
    up(ecs_stack)
    assert ecs_stack.token() == before, "the token is good, and Pulumi knows it"
    (container,) = ecs_stack.task_definition()["containerDefinitions"]
    arn = secrets.describe_secret(SecretId=NAMES.token_secret)["ARN"]
    assert container["secrets"][0]["valueFrom"] == arn, "its ARN is another one"
    settle(ecs_stack)


def test_a_cluster_that_was_deleted_by_hand_is_made_again_with_its_service(ecs_stack: EcsStack) -> None:
    ecs = ecs_stack.client("ecs")
    ecs.delete_service(cluster=NAMES.cluster, service=NAMES.service, force=True)
    until(lambda: not ecs.list_tasks(cluster=NAMES.cluster)["taskArns"], seconds=30, what="its tasks stop")
    ecs.delete_cluster(cluster=NAMES.cluster)
    up(ecs_stack)
    assert ecs_stack.service() is not None, "the agent runs again"
    settle(ecs_stack)


# on the way down


def test_a_down_that_aws_refuses_in_the_middle_goes_on_from_there(ecs_stack: EcsStack) -> None:
    with ecs_stack.moto.refusing("ecs:DeleteCluster"):
        answer = ecs_stack.hybrid("down", "prod", "--yes")
    assert answer.code == 5, answer.err
    assert "Cluster ground-cluster: " in answer.err, answer.err
    assert "hybrid down prod" in answer.err.rpartition("→")[2], answer.err
    assert "ground-cluster" in ecs_stack.resources(), "what stands is known"
    answer = ecs_stack.hybrid("down", STACK, "--yes")
    assert answer.code == 0, answer.err
    assert ecs_stack.resources() == {}, "all is gone, or kept on purpose"
    assert ecs_stack.good_tokens() == []
