"""The whole stack on ECS by `hybrid` and `pulumi` with Pulumi's real engine, before anything stands: what a preview
does, and what is refused before anything is made.

The account is moto's, behind the plugin that the session's header names; Dagster+ is an emulator. That AWS answers as
moto does, only an account can show.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.aws.ecs_stack import BASE, NAMES, STACK_TAG, EcsStack
from tests.aws.moto_server import ACCOUNT
from tests.ports import free_port

pytestmark = [pytest.mark.program, pytest.mark.timeout(600)]


@pytest.fixture
def stack(ecs_stack: EcsStack) -> EcsStack:
    """With the settings as they were."""
    ecs_stack.reset()
    ecs_stack.more = {}
    return ecs_stack


@pytest.mark.parametrize("command", ["hybrid", "pulumi"])
def test_a_preview_shows_everything_and_changes_nothing(stack: EcsStack, command: str) -> None:
    with stack.moto.recorded() as calls:
        if command == "hybrid":
            answer = stack.hybrid("preview", "prod")
            code, said = answer.code, answer.out + answer.err
        else:
            run = stack.pulumi("preview")
            code, said = run.code, run.said
    assert code == 0, said
    for part in ("storage-bucket", "alpha-images-repository", "agent-service", "network-nat-1", "agent-agent"):
        assert part in said, f"{part} is to be made"
    assert not [call for call in calls if not call.reads], "a preview writes nothing"
    assert {"GetCallerIdentity", "HeadBucket", "DescribeRepositories"} <= {call.operation for call in calls}, (
        "whose account it is, and what an earlier stack has kept, has been asked"
    )
    assert stack.good_tokens() == [], "nor does it make a token"
    assert "Traceback" not in said


def refused(stack: EcsStack, *texts: str, command: str = "preview") -> str:
    """What `hybrid` says when it refuses, having changed nothing."""
    with stack.moto.recorded() as calls:
        answer = stack.hybrid(command, "prod", *(["--yes"] if command == "up" else []))
    assert answer.code != 0, f"it must be refused:\n{answer.err}"
    for text in texts:
        assert text in answer.err, f"it must say '{text}', and it says:\n{answer.err}"
    assert answer.err.count(texts[0]) == 1, f"once is enough:\n{answer.err}"
    assert "Traceback" not in answer.err, answer.err
    assert "→ " in answer.err, f"what next must be said:\n{answer.err}"
    assert not [call for call in calls if not call.reads], "nothing may have been made"
    assert stack.good_tokens() == [], "nor a token"
    return str(answer.err)


def test_credentials_of_another_account_are_refused(stack: EcsStack) -> None:
    stack.change("aws", account="999999999999")
    refused(stack, f"The AWS credentials are of account {ACCOUNT}", "999999999999", "AWS_PROFILE", command="up")


def test_without_credentials_it_is_said_where_they_are_looked_for(stack: EcsStack) -> None:
    stack.more = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    refused(stack, "There are no AWS credentials.", "aws sso login")


def test_expired_credentials_are_told_from_others(stack: EcsStack) -> None:
    with stack.moto.refusing("sts:GetCallerIdentity", code="ExpiredToken"):
        refused(stack, "The AWS credentials have expired.", "aws sso login")


def test_a_bucket_of_somebody_else_is_refused(stack: EcsStack) -> None:
    with stack.moto.refusing("s3:HeadBucket"):  # as S3 answers who asks for another account's
        refused(stack, f"The bucket {NAMES.bucket} is another account's", "`storage`")


@pytest.fixture
def foreign_repository(stack: EcsStack) -> Any:
    ecr = stack.client("ecr")
    ecr.create_repository(repositoryName=NAMES.repository("alpha"), tags=[{"Key": STACK_TAG, "Value": "another"}])
    yield
    ecr.delete_repository(repositoryName=NAMES.repository("alpha"))


@pytest.mark.usefixtures("foreign_repository")
def test_a_repository_of_another_stack_is_refused(stack: EcsStack) -> None:
    said = refused(stack, "is in this account already, and it is not this stack's", "'another'", BASE)
    assert NAMES.repository("alpha") in said, "which one must be said"


def test_pulumi_previews_what_does_not_stand_without_dagster_plus(stack: EcsStack) -> None:
    stack.settings["url"] = f"http://127.0.0.1:{free_port()}"
    run = stack.pulumi("preview")
    assert run.code == 0, run.said
    assert run.changes["agent-service"] == "create", "what it would make can be said without it"


@pytest.mark.parametrize("command", ["preview", "up"])
def test_without_dagster_plus_nothing_is_made(stack: EcsStack, command: str) -> None:
    stack.settings["url"] = f"http://127.0.0.1:{free_port()}"
    refused(stack, f"✗ Nothing listens at {stack.settings['url']}", command=command)
