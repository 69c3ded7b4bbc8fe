"""What the stand-in refuses, so that nothing passes here that the plugin would do otherwise; and imports.

Each refusal comes before anything is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pulumi
import pulumi_aws as aws
import pytest

from tests.aws.fixtures import MakeProgram
from tests.aws.moto_server import ACCOUNT, REGION, Moto
from tests.aws.program import AwsProgram

pytestmark = [pytest.mark.program, pytest.mark.timeout(600)]


def own(**settings: object) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(provider=aws.Provider("aws", region=REGION, **settings))


@pytest.fixture(scope="module")
def refused(aws_programs: MakeProgram) -> AwsProgram:
    """A program for those that make nothing."""
    return aws_programs()


def standin_only(aws_plugin_path: str) -> None:
    if not aws_plugin_path:
        pytest.skip("Pulumi's own plugin is installed: it has all properties and types")


def too_new_property() -> None:
    aws.ecs.Service("one", name="one", sigint_rollback=True, opts=own())


def too_new_nested_property() -> None:
    rule = {
        "apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"},
        "blocked_encryption_types": ["SSE-C"],
    }
    aws.s3.BucketServerSideEncryptionConfiguration("one", bucket="one", rules=[rule], opts=own())


def unlisted_type() -> None:
    aws.sqs.Queue("one", name="one", opts=own())


def unlisted_function() -> None:
    aws.sqs.get_queue(name="one", opts=pulumi.InvokeOptions(provider=aws.Provider("aws", region=REGION)))


def region_of_its_own() -> None:
    aws.cloudwatch.LogGroup("one", name="/one", region="us-east-1", opts=own())


def too_new_setting_of_the_provider() -> None:
    aws.cloudwatch.LogGroup("one", name="/one", opts=own(tag_policy_compliance="warning"))


def nested_path_to_ignore() -> None:
    options = pulumi.ResourceOptions.merge(own(), pulumi.ResourceOptions(ignore_changes=["tags.team"]))
    aws.cloudwatch.LogGroup("one", name="/one", tags={"team": "data"}, opts=options)


@pytest.mark.parametrize(
    ("program", "named"),
    [
        pytest.param(too_new_property, "does not map 'sigintRollback'", id="property"),
        pytest.param(too_new_nested_property, "does not map 'rules[0].blockedEncryptionTypes'", id="nested-property"),
        pytest.param(unlisted_type, "has no aws:sqs/queue:Queue", id="type"),
        pytest.param(unlisted_function, "has no aws:sqs/getQueue:getQueue", id="function"),
        pytest.param(region_of_its_own, "one region for a provider", id="region"),
        pytest.param(too_new_setting_of_the_provider, "does not map 'tagPolicyCompliance'", id="setting"),
    ],
)
def test_what_is_not_mapped_is_an_error_that_names_it(
    refused: AwsProgram, aws_plugin_path: str, moto: Moto, program: Callable[[], None], named: str
) -> None:
    standin_only(aws_plugin_path)
    refused.declare(program)
    with moto.recorded() as calls:
        run = refused.up(succeeds=False)
    assert named in run.said, f"it must say what it does not have, and it said:\n{run.said}"
    assert not [call for call in calls if not call.reads], "nothing may have been made"


def test_a_nested_path_to_ignore_is_refused(aws_program: AwsProgram, aws_plugin_path: str) -> None:
    standin_only(aws_plugin_path)
    aws_program.declare(nested_path_to_ignore)
    aws_program.up()
    assert "whole properties only, not of 'tags.team'" in aws_program.up(succeeds=False).said, "a wrong answer"


def test_another_account_is_refused_before_anything_is_made(refused: AwsProgram, moto: Moto) -> None:
    def program() -> None:
        aws.cloudwatch.LogGroup("one", name="/one", opts=own(allowed_account_ids=["999999999999"]))

    refused.declare(program)
    with moto.recorded() as calls:
        run = refused.up(succeeds=False)
    assert f"AWS account ID not allowed: {ACCOUNT}" in run.said, f"the account is named:\n{run.said}"
    assert calls, "the account's number must have been asked for"
    assert not [call for call in calls if not call.reads], "nothing may have been made"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        pytest.param({"cidr_block": "10.0.0.0/99"}, "cidrBlock value {10.0.0.0/99} has a problem", id="value"),
        pytest.param({"cidr_block": "10.0.0.0/16", "enable_dns_support": "maybe"}, "takes true or false", id="kind"),
        pytest.param({"cidr_block": "10.0.0.0/16", "tags": {"Name": ["x"]}}, "tags.Name", id="nested-kind"),
    ],
)
def test_a_wrong_value_is_refused_in_the_preview(refused: AwsProgram, settings: dict, named: str) -> None:
    def program() -> None:
        # as a dict: the SDK's own classes would not let some of them through
        pulumi.CustomResource("aws:ec2/vpc:Vpc", "one", _camel(settings), own())

    refused.declare(program)
    run = refused.preview(succeeds=False)
    assert named in run.said, f"the reason must be said:\n{run.said}"


def _camel(settings: dict) -> dict:
    return {
        "".join([name.split("_")[0], *(part.title() for part in name.split("_")[1:])]): settings[name]
        for name in settings
    }


def test_what_is_ignored_stays_as_others_set_it(aws_program: AwsProgram, moto: Moto) -> None:
    def program(days: int, ignored: list[str]) -> Callable[[], None]:
        options = pulumi.ResourceOptions(ignore_changes=ignored)
        return lambda: (
            aws.cloudwatch.LogGroup(
                "one", name="/ignored", retention_in_days=days, opts=pulumi.ResourceOptions.merge(own(), options)
            )
            and None
        )

    aws_program.declare(program(14, ["retentionInDays"]))
    aws_program.up()
    moto.client("logs").put_retention_policy(logGroupName="/ignored", retentionInDays=365)
    assert aws_program.up(refresh=True).changes == {}, "what is ignored is no difference"
    aws_program.declare(program(14, []))
    assert aws_program.preview(refresh=True).changes == {"one": "update"}, "not ignored it is one"


def test_names_are_made_up_once_and_within_the_limit(aws_program: AwsProgram, moto: Moto) -> None:
    tasks = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [tasks]}

    def program() -> None:
        options = own()
        aws.s3.Bucket("Data", opts=options)
        aws.iam.Role("r" * 70, assume_role_policy=json.dumps(trust), opts=options)
        aws.kms.Alias("key", target_key_id=aws.kms.Key("key-itself", opts=options).key_id, opts=options)

    aws_program.declare(program)
    aws_program.up()
    (bucket,) = moto.client("s3").list_buckets()["Buckets"]
    (role,) = moto.client("iam").list_roles()["Roles"]
    assert bucket["Name"].startswith("data-"), "a bucket's name is lower case"
    assert len(role["RoleName"]) == 64, "a role's name is shortened"
    assert aws_program.outputs("key")["name"].startswith("alias/key-"), "an alias begins as AWS wants it"
    assert aws_program.up().changes == {}, "the names must stay"


def test_what_stands_is_imported_and_a_difference_is_shown(aws_program: AwsProgram, moto: Moto) -> None:
    moto.client("logs").create_log_group(logGroupName="/theirs", tags={"team": "data"})
    moto.client("logs").put_retention_policy(logGroupName="/theirs", retentionInDays=30)

    def program(days: int) -> Callable[[], None]:
        taken = pulumi.ResourceOptions(import_="/theirs", retain_on_delete=True)
        return lambda: (
            aws.cloudwatch.LogGroup(
                "logs",
                name="/theirs",
                retention_in_days=days,
                tags={"team": "data"},
                opts=pulumi.ResourceOptions.merge(own(), taken),
            )
            and None
        )

    aws_program.declare(program(7))
    differs = aws_program.preview()
    assert [step.operation for step in differs.steps if step.name == "logs"] == ["import", "update"], "it would change"
    assert differs.step("logs", "update").changed == ("retentionInDays",), "and what is named"
    aws_program.declare(program(30))
    assert aws_program.up().changes["logs"] == "import", "the same inputs are taken over"
    assert aws_program.up(refresh=True).changes == {}, "then there is nothing to do"
    aws_program.destroy()
    assert moto.client("logs").describe_log_groups(logGroupNamePrefix="/theirs")["logGroups"], "it was to be kept"
