"""What runs in containers: by digest, and without a secret in plain."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ecs_spec import AGENT_IMAGE
from policies import running
from policies.subjects import UNKNOWN, Subject
from tests.unit.policies.made import found, subject

pytestmark = pytest.mark.unit

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
PLANTED = "agent:acme:" + "b1" * 16
TASK = "aws:ecs/taskDefinition:TaskDefinition"
CONTAINER = "docker:index/container:Container"
LOCATION = "dagsterhybrid:index:CodeLocation"


def task(**container: Any) -> Subject:
    return subject(TASK, containerDefinitions=json.dumps([{"name": "it", **container}]))


def of_image(image: Any) -> list[Subject]:
    sidecars = {"container_context": {"ecs": {"server_sidecar_containers": [{"image": image}]}}}
    return [
        task(image=image),
        subject(TASK, containerDefinitions=json.dumps([{"image": f"a@{DIGEST}"}, {"image": image}])),
        subject(CONTAINER, image=image),
        subject("docker:index/remoteImage:RemoteImage", name=image),
        subject("docker:index/service:Service", taskSpec={"containerSpec": {"image": image}}),
        subject(LOCATION, document={"image": image}),
        subject(LOCATION, document={"image": f"a@{DIGEST}", **sidecars}),
    ]


@pytest.mark.parametrize(
    "image",
    ["acme/agent", "acme/agent:1.2", "acme/agent:latest", f"acme/agent:{DIGEST}", f"a@{DIGEST} b", f"{DIGEST}0"],
)
def test_what_a_tag_names_can_be_changed(image: str) -> None:
    for each in of_image(image):
        assert len(found(running.IMAGES, each)) == 1, f"{each} with {each.properties}"


@pytest.mark.parametrize("image", [DIGEST, f"acme/agent@{DIGEST}", f"registry.example:5000/acme/agent:1.2@{DIGEST}"])
def test_a_digest_names_one_image(image: str) -> None:
    assert found(running.IMAGES, *of_image(image)) == []


def test_dagster_s_own_agent_image_passes_at_a_version_alone() -> None:
    assert found(running.IMAGES, task(image=AGENT_IMAGE)) == [], "the stack's default; its reason is in the rule"
    repository = AGENT_IMAGE.rpartition(":")[0]
    for other in (f"{repository}:latest", repository, f"evil.example/{AGENT_IMAGE}", f"{AGENT_IMAGE}-evil"):
        assert found(running.IMAGES, task(image=other)), f"{other} is not it"


def test_a_location_without_an_image_runs_from_its_folder() -> None:
    document = {"code_source": {"module_name": "a"}, "image": None}
    assert found(running.IMAGES, subject(LOCATION, document=document)) == []


def with_variable(name: str, value: str) -> list[Subject]:
    context = {"ecs": {"env_vars": [f"{name}={value}"]}}
    k8s = {"k8s": {"server_k8s_config": {"container_config": {"env": [{"name": name, "value": value}]}}}}
    return [
        task(environment=[{"name": name, "value": value}]),
        subject(CONTAINER, envs=[f"{name}={value}"]),
        subject("docker:index/service:Service", taskSpec={"containerSpec": {"env": {name: value}}}),
        subject(LOCATION, document={"container_context": context}),
        subject(LOCATION, document={"container_context": k8s}),
        subject("dagsterhybrid:index:Process", environment={name: value}),
        subject("aws:lambda/function:Function", environment={"variables": {name: value}}),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "swordfish"),
        ("API_KEY", "x"),
        ("ANYTHING", PLANTED),
        ("DATABASE_URL", "postgresql://joe:swordfish@db/x"),
        ("KEY", "-----BEGIN RSA PRIVATE KEY-----"),
        ("GH", "ghp_0123456789"),
    ],
)
def test_a_secret_in_plain_is_refused_and_never_shown(name: str, value: str) -> None:
    for each in with_variable(name, value):
        said = found(running.SECRETS, each)
        assert len(said) == 1, f"{each} with {each.properties}"
        assert name in said[0], "which variable must be said"
        assert value not in said[0] or value == "x", "a finding goes into comments and logs"


@pytest.mark.parametrize(("name", "value"), [("DB_HOST", "db.internal"), ("DB_PASSWORD", ""), ("TOKEN_FILE", "/run/t")])
def test_other_variables_pass(name: str, value: str) -> None:
    assert found(running.SECRETS, *with_variable(name, value)) == []


def test_a_secret_by_reference_is_how_it_should_be() -> None:
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf"
    assert found(running.SECRETS, task(secrets=[{"name": "DB_PASSWORD", "valueFrom": arn}])) == []
    from_agent = {"container_context": {"ecs": {"env_vars": ["DB_PASSWORD"]}}}
    assert found(running.SECRETS, subject(LOCATION, document=from_agent)) == [], "the agent's own environment has it"


def test_where_a_secret_is_may_be_said() -> None:
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:hybrid-prod-agent-token-AbCdEf"
    parameter = "arn:aws:ssm:eu-central-1:123456789012:parameter/prod/db/password"
    for value in (arn, f"{arn}:password::", parameter, f"secrets:\n- name: DB\n  valueFrom: {arn}\n- {parameter}\n"):
        assert found(running.SECRETS, *with_variable("DB_SECRET" if value in (arn, parameter) else "SAID", value)) == []
    beside = f"{arn} {PLANTED}"
    assert found(running.SECRETS, task(environment=[{"name": "SAID", "value": beside}])), (
        "and what stands beside it not"
    )


def test_a_secret_in_a_command_is_as_readable() -> None:
    for each in (task(command=["run", PLANTED]), subject(CONTAINER, command=["run", PLANTED])):
        said = found(running.SECRETS, each)
        assert said, f"{each}"
        assert PLANTED not in said[0], "never shown"


@pytest.mark.parametrize("text", ["no JSON", '{"name": "it"}', "[" * 100_000])
def test_containers_that_cannot_be_read_are_refused(text: str) -> None:
    assert "cannot be read" in found(running.SECRETS, subject(TASK, containerDefinitions=text))[0]


def test_what_is_not_known_yet_is_not_judged() -> None:
    for rule in (running.IMAGES, running.SECRETS):
        assert found(rule, subject(TASK, containerDefinitions=UNKNOWN), subject(CONTAINER, image=UNKNOWN)) == []


ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.just(UNKNOWN),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["image", "env_vars", "env", "environment", "name", "value", "command"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(ANY)
def test_properties_of_any_shape_break_no_rule(value: Any) -> None:
    for kind, key in (
        (TASK, "containerDefinitions"),
        (CONTAINER, "image"),
        (CONTAINER, "envs"),
        (LOCATION, "document"),
        ("docker:index/service:Service", "taskSpec"),
    ):
        found(running.IMAGES, subject(kind, **{key: value}))
        found(running.SECRETS, subject(kind, **{key: value}))


def test_a_document_of_any_depth_is_looked_through() -> None:
    document: Any = {"image": "acme/agent:latest"}
    for _ in range(50_000):
        document = {"deeper": document}
    assert found(running.IMAGES, subject(LOCATION, document=document)), "depth is no place to hide"
