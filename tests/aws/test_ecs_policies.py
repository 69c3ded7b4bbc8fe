"""The project's own ECS stack through the policy pack, on Pulumi's real engine: with its defaults, and with what can be
switched on beside them. What breaks a rule here is either mended or argued in the rule's own code: the stack has no
exceptions."""

from __future__ import annotations

from typing import Any

import pytest

from hybrid.errors import PolicyRefusedError
from stacks.policy_exceptions import EXCEPTIONS
from tests.aws.ecs_stack import EcsStack
from tests.aws.moto_server import ACCOUNT

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(600)]

KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
LATER = ["RolePolicy agent-agent", "RolePolicy agent-execution-start", "TaskDefinition agent-task"]


@pytest.fixture
def stack(ecs_stack: EcsStack) -> EcsStack:
    """With the settings as they were."""
    ecs_stack.reset()
    return ecs_stack


def judged(stack: EcsStack) -> list[dict[str, Any]]:
    """What is found but for what a first preview cannot know."""
    answer = stack.hybrid("preview", "prod", "--policies", "--json")
    assert answer.code == 0, answer.err
    assert answer.document["changes"]["create"] > 50, "the whole stack was looked at"
    later = [each for each in answer.document["policies"] if each["policy"] == "judged-later"]
    assert len(later) == 1, "what only the update will know has to be said"
    for name in LATER:
        assert name in later[0]["message"], f"{name} names what is not made yet"
    return [each for each in answer.document["policies"] if each not in later]


def test_there_are_no_exceptions_for_the_project_s_own_stacks() -> None:
    assert EXCEPTIONS == (), "the file is the team's"


def test_the_ecs_stack_keeps_every_rule_with_its_defaults(stack: EcsStack) -> None:
    assert judged(stack) == []


def test_the_ecs_stack_keeps_every_rule_with_all_that_can_be_switched_on(stack: EcsStack) -> None:
    stack.change("agent", exec=True, secretsTag="dagster", replicas=2, computeLogs="bucket")
    stack.change(
        "aws",
        alarms={"emails": ["data@example.com"]},
        ci={"github": "acme/data", "reviews": True, "drift": True},
        logKeyArn=KEY,
        secretKeyArn=KEY,
        storage={"keyArn": KEY},
        repositories={"keyArn": KEY},
        locationRoles={"alpha": {"policyArns": [f"arn:aws:iam::{ACCOUNT}:policy/of-the-team"]}},
        tags={"team": "data"},
    )
    assert judged(stack) == [], "own keys on all of their kind, roles of CI, alarms, shells"


def test_what_the_settings_can_break_is_refused(stack: EcsStack) -> None:
    stack.change("aws", locationRoles={"alpha": {"policyArns": ["arn:aws:iam::aws:policy/AmazonS3FullAccess"]}})
    answer = stack.hybrid("preview", "prod", "--policies", "--json")
    assert answer.code == PolicyRefusedError.exit_code, answer.err
    found = [(each["policy"], each["resource"]) for each in answer.document["policies"] if each["level"] == "mandatory"]
    assert found == [("iam-star-actions", "RolePolicyAttachment location-alpha-AmazonS3FullAccess")]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_an_update_judges_what_a_preview_cannot_know_and_makes_none_of_it(stack: EcsStack) -> None:
    """The agent's task definition and the policies of its roles name what is not made yet."""
    stack.change("agent", image="acme/agent:latest")
    answer = stack.hybrid("up", "prod", "--yes", "--policies")
    try:
        assert answer.code == PolicyRefusedError.exit_code, answer.err
        assert "image-by-digest: TaskDefinition agent-task runs acme/agent:latest" in answer.err
        assert "agent-task" not in stack.resources(), "the task definition must not be there"
        assert stack.service() is None, "and no agent runs from it"
        stack.reset()
        answer = stack.hybrid("up", "prod", "--yes", "--policies", "--json")
        assert answer.code == 0, answer.err
        assert answer.document["policies"] == [], "all is known now, and all of it keeps the rules"
        assert stack.service() is not None
    finally:
        stack.reset()
        down = stack.hybrid("down", "prod", "--yes")
        assert down.code == 0, down.err
