"""The policy pack on Pulumi's real engine: each rule shown red by a program that breaks it, exceptions, what is refused
and when. What the header calls the aws plugin checks the resources' properties; the account is moto's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policies import rules
from tests.aws.fixtures import MakeProgram
from tests.aws.program import AwsProgram
from tests.program.policy_checkout import Held, PolicyCheckout
from tests.program.policy_programs import (
    BROKEN,
    MORE_FOR_EVERYBODY,
    PLANTED,
    STACK_FILE,
    harmless_then_broken,
    only_known_later,
    program,
)

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(900)]

_HERE = [rule for rule in rules.RULES if not rule.name.startswith("azure-")]
"""Azure's own are shown red by changed programs in tests/azure/test_azure_policies.py."""

STALE = 'Allowed("log-retention", "aws:cloudwatch/logGroup:LogGroup::long-gone", because="It was here once.")'


@pytest.fixture(scope="module")
def stack(aws_programs: MakeProgram) -> AwsProgram:
    return aws_programs()


@pytest.fixture
def checkout(tmp_path: Path) -> PolicyCheckout:
    return PolicyCheckout(tmp_path / "checkout", STACK_FILE)


@pytest.fixture(scope="module")
def broken(stack: AwsProgram, tmp_path_factory: pytest.TempPathFactory) -> Held:
    checkout = PolicyCheckout(tmp_path_factory.mktemp("broken") / "checkout", STACK_FILE)
    checkout.allow(STALE)
    return checkout.held(stack, program(good=False))


def test_no_rule_is_without_something_that_breaks_it() -> None:
    assert set(BROKEN) == {rule.name for rule in _HERE}, "a rule that was never red may not work"


@pytest.mark.parametrize("rule", _HERE, ids=lambda rule: rule.name)
def test_a_rule_is_red_on_the_engine(broken: Held, rule: rules.Rule) -> None:
    found = broken.of(rule.name)
    assert found, f"no finding of {rule.name} in:\n{broken.said}"
    resources = {str(finding.resource) if finding.resource else "" for finding in found}
    assert BROKEN[rule.name] in resources, "on the resource that breaks it"
    assert {finding.level for finding in found} == {rule.level}, "at the rule's own level"
    for finding in found:
        assert finding.pack == "dagster-hybrid"
        assert finding.message.startswith(rule.reason), "the reason comes first"
        assert "\nNext: " in finding.message, "what to do has to be said"


def test_everybody_is_kept_out_of_policies_and_roles_too(broken: Held) -> None:
    assert {str(finding.resource) for finding in broken.of("public-access")} >= MORE_FOR_EVERYBODY


def test_each_resource_breaks_only_what_it_was_made_to_break(broken: Held) -> None:
    expected = {(rule, where) for rule, where in BROKEN.items()} | {("public-access", it) for it in MORE_FOR_EVERYBODY}
    found = {(each.policy, str(each.resource) if each.resource else "") for each in broken.outcome.policies}
    assert found == expected, "more findings would be noise in every review"


def test_a_mandatory_finding_ends_a_preview_with_an_error_and_loses_nothing(broken: Held) -> None:
    assert broken.code != 0, "whoever calls pulumi itself must see it"
    assert [error.text for error in broken.outcome.errors] == ["preview failed"], (
        "beside this word there is no error: `hybrid` tells findings from errors by that"
    )
    assert broken.outcome.changes["create"] > 10, "all that would be done is there"


def test_no_secret_is_in_any_message(broken: Held) -> None:
    messages = [
        json.loads(line)["policyEvent"]["message"] for line in broken.log.splitlines() if '"policyEvent"' in line
    ]
    assert len(messages) > len(BROKEN) - 1, "as the pack itself wrote them, before `hybrid` reads them"
    assert not [message for message in messages if "b1b1b1" in message], "logs of the engine go anywhere"
    assert PLANTED not in json.dumps([finding.document() for finding in broken.outcome.policies])


def test_what_keeps_the_rules_passes(stack: AwsProgram, checkout: PolicyCheckout) -> None:
    held = checkout.held(stack, program(good=True))
    assert held.code == 0, held.said
    assert held.outcome.policies == [], "the same resources, made well"


def test_exceptions_let_pass_what_they_name_and_nothing_else(stack: AwsProgram, checkout: PolicyCheckout) -> None:
    checkout.allow(
        'Allowed("image-by-digest", "aws:ecs/taskDefinition:TaskDefinition::task", because="It is pinned elsewhere.")',
        'Allowed("bucket-*", "aws:s3/bucket:Bucket::bucket", because="A rule is named, not matched.")',
    )
    held = checkout.held(stack, program(good=False))
    assert held.code != 0
    assert "'bucket-*' is no rule" in held.said, "an unknown rule is an error, and says what is wrong"
    assert held.outcome.policies == [], "and nothing is judged by a list that nobody can have meant"
    checkout.allow(
        'Allowed("image-by-digest", "aws:ecs/taskDefinition:TaskDefinition::task", because="It is pinned elsewhere.")',
        'Allowed("bucket-versioning", "aws:s3/bucket:Bucket::b*", because="What is in it can be computed again.")',
        'Allowed("public-access", "aws:*::way-in", because="It is for another stack.", stack="prod")',
    )
    held = checkout.held(stack, program(good=False))
    missing = {rule for rule in BROKEN if not held.of(rule)}
    assert missing == {"image-by-digest", "bucket-versioning", "stale-exception"}, "these two, and both were of use"


def test_an_update_does_not_make_what_breaks_a_mandatory_rule(stack: AwsProgram, checkout: PolicyCheckout) -> None:
    held = checkout.held(stack, harmless_then_broken, "up")
    assert held.code != 0, held.said
    assert {finding.policy for finding in held.outcome.refused} == {"iam-star-actions", "iam-star-resources"}
    assert "everything" not in stack.resources(), "the right must never have been there"


def test_what_a_preview_cannot_see_is_refused_by_the_update(stack: AwsProgram, checkout: PolicyCheckout) -> None:
    first = checkout.held(stack, only_known_later)
    assert first.code == 0, first.said
    assert [finding.policy for finding in first.outcome.policies] == ["judged-later"], "the preview says what it lacks"
    held = checkout.held(stack, only_known_later, "up")
    assert {finding.policy for finding in held.outcome.refused} == {"iam-star-actions"}, held.said
    assert "unseen" not in stack.resources(), "the right must never have been there"
