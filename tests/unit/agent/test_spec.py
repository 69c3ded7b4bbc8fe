"""The agent's settings: what is refused, and in which words. That Dagster takes what is rendered from them is shown by
tests/contracts/test_dagster_yaml.py."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from agent.spec import AgentSpec, DockerAgentSpec, LocalAgentSpec, Spec
from stacks.reference import meanings

pytestmark = pytest.mark.unit


class Stack(Spec):
    """As the stack file holds an agent: pydantic hides values by the outermost model's setting."""

    agent: AgentSpec
    """The agent."""


AGENT = TypeAdapter[LocalAgentSpec | DockerAgentSpec](AgentSpec)


def problems(value: Any) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        AGENT.validate_python(value)
    return [(problem["loc"], problem["msg"]) for problem in caught.value.errors()]


def test_a_local_agent_needs_no_more_than_its_kind() -> None:
    assert AGENT.validate_python({"kind": "local"}) == LocalAgentSpec()


def test_a_docker_agent_needs_no_more_than_its_kind() -> None:
    assert AGENT.validate_python({"kind": "docker"}) == DockerAgentSpec()


def test_keys_are_written_as_in_the_stack_file() -> None:
    spec = AGENT.validate_python(
        {"kind": "local", "branchDeployments": True, "queues": {"includeDefault": False, "additional": ["gpu"]}}
    )
    assert (spec.branch_deployments, spec.queues.additional) == (True, ("gpu",))


@pytest.mark.parametrize("kind", ["mainframe", "", 7, None], ids=str)
def test_a_platform_that_is_not_built_is_named_as_such(kind: object) -> None:
    ((where, sentence),) = problems({"kind": kind})
    assert where == ()
    assert "`local`, `docker`, `ecs`, `kubernetes` and `azure` are built so far" in sentence


def test_a_forgotten_kind_says_what_a_kind_is() -> None:
    ((_, sentence),) = problems({"label": "mine"})
    assert sentence.startswith("`kind` says where the agent lives")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lable", "mine"),
        ("label", "two\nlines"),
        ("label", ""),
        ("startupTimeoutSeconds", 0),
        ("apiRetries", 100),
        ("serverTtl", {"maxServers": 0}),
        ("allowedLocations", ["../up"]),
        ("allowedLocations", ["a", "a"]),
        ("queues", {"includeDefault": False}),
        ("queues", {"additional": ["gpu", "gpu"]}),
        ("queues", {"additional": ["two words"]}),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_under_its_key(key: str, value: object) -> None:
    ((where, _),) = problems({"kind": "local", key: value})
    assert where[:2] == ("local", key), "the stack file's error must name the key that the reader wrote"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("waitForProcesses", True, "Extra inputs"),
        ("agentMetrics", True, "Extra inputs"),
        ("network", "../up", "match pattern"),
        ("network", "-option", "match pattern"),
        ("socket", "docker.sock", "match pattern"),
        ("socket", "/a:/b", "match pattern"),
        ("registryCredentials", "~/.docker", "match pattern"),
        ("image", "--privileged", "match pattern"),
        ("image", "Name with spaces", "match pattern"),
        ("memoryMib", 0, "greater than"),
        ("logMaxSize", "ten", "match pattern"),
        ("restart", "sometimes", "unless-stopped"),
        ("finishedRunContainersKeptSeconds", -1, "greater than"),
        ("containerKwargs", {"environment": ["A=1"]}, "use `environment` of the agent"),
        ("containerKwargs", {"auto_remove": True}, "how a run ended would be lost"),
        ("containerKwargs", {"memory": "1g"}, "not an argument of docker-py"),
    ],
    ids=str,
)
def test_what_docker_or_its_launcher_would_choke_on_is_refused_under_its_key(
    key: str, value: object, words: str
) -> None:
    ((where, sentence),) = problems({"kind": "docker", key: value})
    assert where[:2] == ("docker", key), "the stack file's error must name the key that the reader wrote"
    assert words in sentence


def test_limits_are_given_in_dockers_own_words() -> None:
    kwargs = {"mem_limit": "1g", "nano_cpus": 500_000_000, "volumes": ["data:/data"], "stop_timeout": 30}
    spec = AGENT.validate_python({"kind": "docker", "containerKwargs": kwargs})
    assert isinstance(spec, DockerAgentSpec)
    assert spec.container_kwargs == kwargs


def test_an_error_does_not_repeat_the_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Stack.model_validate({"agent": {"kind": "local", "label": "agent:acme:0123\n456789"}})
    assert "acme" not in str(caught.value), "someone may have pasted a token into the wrong key"


def models() -> list[type[Spec]]:
    found, rest = [], [Spec]
    while rest:
        for model in rest.pop().__subclasses__():
            found.append(model)
            rest.append(model)
    return found


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_key_says_what_it_is_for_the_settings_reference(model: type[Spec]) -> None:
    said = meanings(model)
    for name in model.model_fields:
        assert said.get(name), f"{model.__name__}.{name} would be an empty row of docs/settings.md"
