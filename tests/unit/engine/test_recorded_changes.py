"""What two recordings of a program tell of a change. That programs are recorded so, is shown by
tests/program/test_review_offline.py."""

from __future__ import annotations

from typing import Any

import pytest

from hybrid.engine.events import AgentRestarts, StepEnded
from hybrid.engine.recorded_changes import RecordedChanges, Standing, recorded_changes
from hybrid.engine.recording import Recorded, Recording

pytestmark = pytest.mark.unit

OURS = "dagsterhybrid:index:"
TASK = "dagsterhybrid:agent:EcsAgent$aws:ecs/taskDefinition:TaskDefinition"
CONTAINER = "dagsterhybrid:agent:DockerAgent$docker:index/container:Container"
CONNECTION = {"url": "https://acme.dagster.cloud", "organization": "acme", "deployment": "prod"}


def urn(type_: str, name: str) -> str:
    return f"urn:pulumi:prod::hybrid::{type_}::{name}"


def made(
    type_: str, name: str = "x", *, retained: bool = False, aliases: tuple[str, ...] = (), **inputs: Any
) -> Recorded:
    return Recorded(urn=urn(type_, name), custom=True, inputs=inputs, outputs={}, retained=retained, aliases=aliases)


def between(old: list[Recorded] | None, new: list[Recorded], **more: Any) -> RecordedChanges:
    before = None if old is None else Recording(resources=tuple(old))
    return recorded_changes(before, Recording(resources=tuple(new)), **{"marks": {}, **more})


def steps(found: RecordedChanges) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(str(e.resource), e.operation, e.reasons) for e in found.events if isinstance(e, StepEnded)]


def restarts(found: RecordedChanges) -> list[tuple[str, ...]]:
    listener = AgentRestarts()
    for event in found.events:
        listener.take(event)
    return list(listener.found.values())


def test_what_is_the_same_is_no_step() -> None:
    same = made("aws:s3/bucket:Bucket", bucket="b", tags={"a": "b"})
    assert not between([same], [same]).events


def test_what_comes_goes_and_stays_is_told_in_the_words_of_the_engine() -> None:
    old = [made("aws:s3/bucket:Bucket", "gone"), made("aws:ecr/repository:Repository", "left", retained=True)]
    found = between(old, [made("aws:s3/bucket:Bucket", "new")])
    assert steps(found) == [
        ("Bucket new", "create", ()),
        ("Bucket gone", "delete", ()),
        ("Repository left", "keep", ()),
    ]


def test_each_step_comes_after_those_that_it_depends_on() -> None:
    first, second = made("aws:s3/bucket:Bucket", "z"), made("aws:s3/bucketPolicy:BucketPolicy", "a")
    waiting = second.model_copy(update={"depends_on": (first.urn,)})
    assert [name for name, _, _ in steps(between([], [waiting, first]))] == ["Bucket z", "BucketPolicy a"]
    assert [name for name, _, _ in steps(between([waiting, first], []))] == ["BucketPolicy a", "Bucket z"], "and back"


def test_our_own_provider_says_what_makes_a_thing_anew() -> None:
    def token(description: str, label: str) -> Recorded:
        return made(
            f"{OURS}AgentToken",
            connection=CONNECTION,
            description=description,
            agentLabel=label,
            grants={"deployments": []},
        )

    assert steps(between([token("a", "l")], [token("b", "l")])) == [("AgentToken x", "replace", ("description",))]
    assert steps(between([token("a", "l")], [token("a", "m")])) == [("AgentToken x", "update", ("agentLabel",))]


@pytest.mark.parametrize(
    ("type_", "key", "anew"),
    [(TASK, "cpu", True), (TASK, "tags", False), (CONTAINER, "image", True), (CONTAINER, "memory", False)],
)
def test_what_an_agent_runs_as_is_known_to_be_made_anew_or_not(type_: str, key: str, anew: bool) -> None:
    found = between([made(type_, **{key: "1"})], [made(type_, **{key: "2"})])
    assert [operation for _, operation, _ in steps(found)] == ["replace" if anew else "update"]
    assert bool(restarts(found)) is anew, "a new one is a new agent, and only that"


def test_of_other_types_it_is_an_update() -> None:
    found = between(
        [made("aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16")], [made("aws:ec2/vpc:Vpc", cidrBlock="10.1.0.0/16")]
    )
    assert steps(found) == [("Vpc x", "update", ("cidrBlock",))], "AWS's provider would know, and it is not there"


def test_an_image_is_told_by_its_files_and_not_by_where_they_lie() -> None:
    def image(context: str, **more: Any) -> Recorded:
        inputs = {
            "repository": "r",
            "context": context,
            "arguments": {},
            "platforms": [],
            "labels": {"commit": context},
        }
        return made(f"{OURS}LocationImage", "hello-image", **{**inputs, **more})

    assert not between([image("/a")], [image("/b")]).events, "the folder and the commit are none of its content"
    marked = between([image("/a")], [image("/a")], marks={"hello-image": ('files["src/x.py"]',)})
    assert steps(marked) == [("LocationImage hello-image", "update", ("src/x.py",))]
    other = between([image("/a")], [image("/a", arguments={"A": "1"})])
    assert steps(other) == [("LocationImage hello-image", "update", ("arguments.A",))]


def test_a_waiting_time_alone_is_no_change_to_what_waits() -> None:
    def ready(seconds: int) -> Recorded:
        return made(f"{OURS}AgentReady", connection=CONNECTION, agentLabel="l", locations={}, timeoutSeconds=seconds)

    assert not between([ready(300)], [ready(600)]).events, "the provider does not take it for one either"


def test_a_resource_with_an_alias_is_the_one_that_it_was() -> None:
    former, moved = urn("aws:s3/bucket:Bucket", "old"), made("aws:s3/bucket:Bucket", "new", aliases=(), bucket="b")
    aliased = moved.model_copy(update={"aliases": (former,)})
    old = made("aws:s3/bucket:Bucket", "old", bucket="b")
    assert not between([old], [aliased]).events
    assert [operation for _, operation, _ in steps(between([old], [moved]))] == ["create", "delete"]


def test_what_stands_decides_what_is_created_and_deleted() -> None:
    a, b = made("aws:s3/bucket:Bucket", "a", bucket="1"), made("aws:s3/bucket:Bucket", "b", bucket="1")
    standing = Standing({b.urn: False, urn("aws:s3/bucket:Bucket", "old"): True})
    changed = b.model_copy(update={"inputs": {"bucket": "2"}})
    found = between([a, b], [a, changed], standing=standing)
    assert steps(found) == [("Bucket a", "create", ()), ("Bucket b", "update", ("bucket",)), ("Bucket old", "keep", ())]
    assert not found.untold


def test_what_stands_and_the_base_does_not_tell_of_is_named() -> None:
    a = made("aws:s3/bucket:Bucket", "a", bucket="1")
    found = between(None, [a], standing=Standing({a.urn: False}))
    assert not found.events
    assert [str(name) for name in found.untold] == ["Bucket a"], "silence would say that it does not change"


def test_a_name_that_looks_like_a_token_is_found_in_a_redacted_state() -> None:
    name = "agent:acme:" + "0f" * 12
    secret = made("aws:s3/bucket:Bucket", name)
    from hybrid.redaction import redact

    found = between([secret], [secret], standing=Standing({redact(secret.urn): False}))
    assert not found.events
