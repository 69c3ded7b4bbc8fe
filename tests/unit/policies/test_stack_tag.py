"""The stack's tag."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from agent.ecs_names import STACK_TAG
from policies import stack_tag
from policies.subjects import UNKNOWN
from tests.unit.policies.made import found, subject

pytestmark = pytest.mark.unit

VPC = subject("aws:ec2/vpc:Vpc")
GOOD = {STACK_TAG: "hybrid-prod"}


def test_it_is_the_tag_that_the_stack_gives() -> None:
    assert stack_tag.STACK_TAG == STACK_TAG, "the rule may not import the agent's room, and must not drift from it"


@pytest.mark.parametrize("tags", [None, {}, {"Name": "x"}, {STACK_TAG: ""}, "text", [GOOD]])
def test_what_takes_tags_has_the_stack_s(tags: Any) -> None:
    assert found(stack_tag.TAGS, replace(VPC, properties={"tags": tags, "tagsAll": tags}))


@pytest.mark.parametrize("tags", [GOOD, {**GOOD, "Name": "x"}, {STACK_TAG: UNKNOWN}, UNKNOWN])
def test_its_own_tags_and_those_with_the_provider_s_count(tags: Any) -> None:
    assert found(stack_tag.TAGS, replace(VPC, properties={"tags": tags})) == []
    assert found(stack_tag.TAGS, replace(VPC, properties={"tagsAll": tags})) == []


@pytest.mark.parametrize("said", [{"tags": GOOD}, json.dumps({"tags": GOOD}), UNKNOWN])
def test_the_provider_s_default_tags_count_however_they_are_said(said: Any) -> None:
    assert found(stack_tag.TAGS, replace(VPC, provider={"defaultTags": said})) == []


@pytest.mark.parametrize("said", ["no JSON", "[" * 100_000, "[]", None, {"tags": {"team": "x"}}])
def test_default_tags_that_say_nothing_do_not_count(said: Any) -> None:
    assert found(stack_tag.TAGS, replace(VPC, provider={"defaultTags": said}))


@pytest.mark.parametrize(
    "kind", ["aws:ec2/route:Route", "aws:iam/rolePolicy:RolePolicy", "dagsterhybrid:index:Process"]
)
def test_what_takes_no_tags_passes(kind: str) -> None:
    assert found(stack_tag.TAGS, subject(kind)) == []
