"""One run: what is told of what is found, and of what cannot be known yet."""

from __future__ import annotations

import pytest

from policies import iam, public_access, rules, running
from policies.exceptions import Exceptions
from policies.run import Run
from policies.subjects import UNKNOWN
from stacks.policy_exceptions import Allowed
from tests.unit.policies.made import subject

pytestmark = pytest.mark.unit

TASK = "aws:ecs/taskDefinition:TaskDefinition"
PLANTED = "agent:acme:" + "b1" * 16


def test_a_finding_says_what_is_wrong_what_next_and_how_to_allow_it() -> None:
    run, task = Run(Exceptions(())), subject("docker:index/container:Container", "it", image="acme/it:1")
    run.see(task)
    (finding,) = run.resource(running.IMAGES, task.urn)
    what, todo, allow = finding.message.splitlines()
    assert what.startswith("Container it runs acme/it:1"), "what"
    assert todo.startswith("Next: "), "what next"
    assert 'Allowed("image-by-digest", "docker:index/container:Container::it", because="…")' in allow, "how to allow it"
    assert finding.urn == task.urn, "the engine says which resource"


def test_what_a_finding_says_to_write_lets_the_resource_pass() -> None:
    task = subject("docker:index/container:Container", "it", image="acme/it:1")
    first = Run(Exceptions(()))
    first.see(task)
    (finding,) = first.resource(running.IMAGES, task.urn)
    written = finding.message.partition("To allow it: ")[2].partition(" in stacks/")[0].replace("…", "A reason given.")
    second = Run(Exceptions((eval(written, {"Allowed": Allowed}),)))  # noqa: S307 - what a person would paste
    second.see(task)
    assert list(second.resource(running.IMAGES, task.urn)) == [], "copied as it stands, it has to work"


def test_no_token_is_in_a_finding_whatever_it_is_the_name_of() -> None:
    run = Run(Exceptions(()))
    task = subject("docker:index/container:Container", PLANTED, image=f"{PLANTED}/x:1", envs=[f"{PLANTED}={PLANTED}"])
    run.see(task)
    told = [each.message for rule in (running.IMAGES, running.SECRETS) for each in run.resource(rule, task.urn)]
    assert len(told) == 2, "both rules are broken"
    assert not [each for each in told if "b1b1b1" in each], "messages go into comments and logs"


def test_a_rule_is_not_asked_about_types_that_it_does_not_know() -> None:
    run, other = Run(Exceptions(())), subject("aws:ec2/vpc:Vpc", image="acme/it:1")
    run.see(other)
    assert list(run.resource(running.IMAGES, other.urn)) == []


def test_what_cannot_be_judged_yet_is_said_once_for_the_stack() -> None:
    run = Run(Exceptions(()))
    for number in range(10):
        policy = subject("aws:iam/rolePolicy:RolePolicy", f"p{number}", policy=UNKNOWN)
        run.see(policy)
        for rule in (iam.STAR_ACTIONS, iam.STAR_RESOURCES):
            assert list(run.resource(rule, policy.urn)) == [], "nothing is known of it"
    (finding,) = run.later(rules.LATER, rules.RESOURCE_RULES)
    assert "RolePolicy p0, RolePolicy p1" in finding.message, (
        "a preview without findings must not look like a clean one"
    )
    assert "and 2 more" in finding.message, "and stays readable"
    assert finding.urn == "", "it is about the whole stack"


def test_what_only_advisory_rules_wait_for_is_not_worth_a_word() -> None:
    run = Run(Exceptions(()))
    group = subject("aws:cloudwatch/logGroup:LogGroup", retentionInDays=UNKNOWN, tags=UNKNOWN)
    run.see(group)
    for rule in rules.RESOURCE_RULES:
        list(run.resource(rule, group.urn))
    assert list(run.later(rules.LATER, rules.RESOURCE_RULES)) == []


def test_of_the_stack_what_the_program_said_counts_and_not_what_aws_added() -> None:
    run, bucket = Run(Exceptions(())), subject("aws:s3/bucket:Bucket", bucket="mine")
    run.see(bucket)
    unseen = "urn:pulumi:prod::hybrid::aws:s3/bucket:Bucket::of-the-state-alone"
    (finding,) = run.stack(public_access.BUCKET_BLOCK, {bucket.urn: {}, unseen: {}})
    assert finding.urn == bucket.urn
    allowed = Run(Exceptions((Allowed("bucket-public-access", bucket.address, "A reason given."),)))
    allowed.see(bucket)
    assert list(allowed.stack(public_access.BUCKET_BLOCK, {bucket.urn: {}})) == [], "exceptions are for these rules too"
