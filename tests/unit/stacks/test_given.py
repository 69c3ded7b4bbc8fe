"""What the gate is told of a stack on ECS, held against the settings that its agent really gets."""

from __future__ import annotations

from typing import Any

import pytest

from agent.dagster_yaml import AGENT_TOKEN_VARIABLE
from agent.ecs_names import STACK_TAG
from hybrid.delivery.gate.given import GivenByStack
from hybrid.workspace import Workspace
from stacks.given import given_by
from stacks.identity import StackIdentity
from stacks.settings import parse
from tests.unit.stacks.test_ecs_program import BASE, PLACE, SECRET, launcher, record

pytestmark = pytest.mark.unit

AGENT = {
    "kind": "ecs",
    "environment": {"STAGE": "prod"},
    "secrets": {"WAREHOUSE": SECRET},
    "proxy": {"url": "http://proxy.acme.example:3128"},
    "computeLogs": "bucket",
}


def who(settings: dict[str, Any]) -> StackIdentity:
    return StackIdentity.of("prod", parse(settings, stack="prod", source="x"), Workspace.of_this_checkout())


def test_the_gate_knows_what_the_launcher_gives_to_all_code():
    aws = {**PLACE, "tags": {"team": "data"}}
    given = given_by(who({**BASE, "agent": AGENT, "aws": aws}))
    real = launcher(record({"tags": {"team": "data"}}, agent=AGENT))
    assert sorted(given.variables) == real["env_vars"], "a secret of such a name stops every task of the location"
    named = {secret["name"] for secret in real["secrets"]} - {AGENT_TOKEN_VARIABLE}
    assert {*given.secrets} == named
    assert {*given.tags} == {tag["key"] for tag in real["run_ecs_tags"]} - {STACK_TAG}
    assert list(given.packages) == ["dagster-aws"], "the class that writes the output of steps is in it"


def test_only_the_bucket_needs_a_package():
    assert given_by(who({**BASE, "aws": PLACE})).packages == {}


def test_a_stack_elsewhere_gives_nothing():
    docker = {"agent": {"kind": "docker", "environment": {"A": "1"}}, "registry": {"address": "localhost:1"}}
    for settings in ({}, docker):
        assert given_by(who(settings)).document() is None


def test_it_travels_as_plain_values():
    given = GivenByStack({"dagster-aws": "why"}, ("team",), ("STAGE",), ("WAREHOUSE",))
    assert GivenByStack.parse(given.document()) == given
    assert GivenByStack.parse(None) == GivenByStack()
