"""A stack that stands in a real account (``HYBRID_LIVE_AWS_STACK``, a file of this checkout): what tests/aws asserts of
moto, read from AWS. Nothing is changed; `hybrid up` of the stack comes before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import boto3
import pytest

from agent.ecs_spec import EcsAgentSpec
from hybrid.engine.stack import Stack
from hybrid.platforms.ecs_place import EcsPlace
from hybrid.workspace import Workspace
from stacks.ecs_facts import EcsFacts
from tests.live.aws.conftest import ACCOUNT, STACK

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def stack() -> Stack:
    name = os.environ.get(STACK)
    if not name:
        pytest.skip(f"{STACK} names no stack")
    found = Stack.read(Workspace.of_this_checkout(), name)
    assert found.who.settings.aws, "it is a stack on ECS"
    assert found.who.settings.aws.account == os.environ[ACCOUNT], "the stack is of the account that may be asked"
    return found


@pytest.fixture(scope="module")
def place(stack: Stack) -> EcsPlace:
    spec = stack.who.settings.agent
    assert isinstance(spec, EcsAgentSpec)
    return EcsPlace.of(stack.who, spec)


def hybrid(*arguments: str) -> Any:
    done = subprocess.run([sys.executable, "-m", "hybrid.cli.main", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_stands_is_what_the_file_says(stack: Stack) -> None:
    assert hybrid("preview", stack.who.stack, "--json")["changes"] in ({}, 0), "a preview would change nothing"


def test_the_agent_is_running_and_every_location_is_loaded(stack: Stack) -> None:
    status = hybrid("status", stack.who.stack, "--json")
    service = status["ecs"]["service"]
    assert service["running"] == service["desired"] > 0
    assert {location["load_status"] for location in status["locations"]} <= {"LOADED"}


def test_the_bucket_is_closed(stack: Stack, place: EcsPlace) -> None:
    bucket = EcsFacts(stack.who).bucket.name
    s3 = boto3.client("s3", region_name=place.region)
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    denied = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert all(statement["Effect"] == "Deny" for statement in denied), "its policy takes away and gives nothing"


def test_what_the_agent_made_bears_the_stacks_tag_and_no_token(place: EcsPlace) -> None:
    ecs = boto3.client("ecs", region_name=place.region)
    services = [
        arn
        for page in ecs.get_paginator("list_services").paginate(cluster=place.cluster)
        for arn in page["serviceArns"]
    ]
    for begin in range(0, len(services), 10):
        for service in ecs.describe_services(
            cluster=place.cluster, services=services[begin : begin + 10], include=["TAGS"]
        )["services"]:
            tags = {tag["key"]: tag["value"] for tag in service.get("tags", [])}
            assert tags.get("dagster-hybrid/stack") == place.base, service["serviceName"]
            definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
            assert "agent:" not in json.dumps(definition["containerDefinitions"]).replace("agent: ", ""), "no token"
