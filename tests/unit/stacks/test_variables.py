"""Environment variables of the stack file: what is accepted, and what the program declares of it.

The engine is Pulumi's own mocks; that values are ciphertext in state is the program tier's to show
(tests/program/provider/test_organization.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from pulumi.runtime import set_mocks
from pulumi.runtime.config import set_all_config
from pydantic import ValidationError

from hybrid.errors import SettingsError
from hybrid.provider.resources import Connection
from hybrid.redaction import MASK, redact
from stacks.variable_settings import VariableSettings, without_repetition
from stacks.variables import environment_variables, reloading_hash

pytestmark = pytest.mark.unit

PLANTED = "planted-value-of-a-test"
CONNECTION = Connection(url="http://127.0.0.1:1", organization="local", deployment="prod")


def given(**values: Any) -> VariableSettings:
    return VariableSettings.model_validate({"name": "GREETING", **values})


def wrong(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        given(**values)
    return str(caught.value)


@pytest.mark.parametrize(
    "sources",
    [{}, {"value": "x", "secret": "k"}, {"fromEnvironment": "A", "secret": "k"}, {"value": "", "secret": "k"}],
)
def test_a_value_comes_from_exactly_one_source(sources: dict[str, str]) -> None:
    assert "exactly one of `value`, `fromEnvironment`, `secret`" in wrong(**sources)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", PLANTED),
        ("GITHUB_TOKEN", PLANTED),
        ("apiKey", PLANTED),
        ("GREETING", "ghp_" + "a" * 36),
        ("GREETING", "postgresql://me:" + PLANTED + "@db/x"),
        ("GREETING", "-----BEGIN RSA PRIVATE KEY-----\n" + PLANTED),
        ("GREETING", '{"type": "service_account", "private_key": "' + PLANTED + '"}'),
        ("GREETING", "agent:acme:" + "a" * 32),
        ("GREETING", "AKIA" + "A" * 16),
    ],
)
def test_a_plain_value_that_looks_like_a_secret_is_refused_without_showing_it(name: str, value: str) -> None:
    message = wrong(name=name, value=value)
    assert f"{name} looks like a secret" in message, "the reader must know which"
    assert "`secret`" in message, "and what to do instead"
    assert value not in message, "what is refused for being a secret is not printed"
    assert PLANTED not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GREETING", "hello"),
        ("TOKEN_FILE", "/run/x"),
        ("TOKENS_PER_MINUTE", "9"),
        ("DB_HOST", "db"),
        ("DB_PASSWORD", ""),
    ],
)
def test_ordinary_values_are_accepted(name: str, value: str) -> None:
    assert given(name=name, value=value).value == value


def test_a_value_that_dagster_plus_would_not_take_is_refused() -> None:
    assert "4096 bytes" in wrong(value="ä" * 2049), "it counts bytes, not letters"
    assert "NUL" in wrong(value="a\0b")
    assert given(value="a" * 4096), "as many as it takes"


def test_scopes_are_the_full_deployment_unless_said_otherwise_and_never_none() -> None:
    scopes = given(value="x").scopes
    assert (scopes.full_deployment, scopes.all_branch_deployments, scopes.local) == (True, False, False)
    assert "set nowhere" in wrong(value="x", scopes={"fullDeployment": False})


def test_two_of_one_name_at_one_place_are_refused_and_at_two_places_are_not() -> None:
    def pair(first: dict[str, Any], second: dict[str, Any]) -> tuple[VariableSettings, ...]:
        return without_repetition((given(value="1", **first), given(value="2", **second)))

    with pytest.raises(ValueError, match="GREETING is given more than once"):
        pair({}, {})
    with pytest.raises(ValueError, match="more than once"):
        pair({"locations": ["a", "b"]}, {"locations": ["b"]})
    assert pair({"locations": ["a"]}, {"locations": ["b"]}), "each location has its own"
    assert pair({}, {"locations": ["a"]}), "a location's own goes before what all have"
    assert pair({}, {"scopes": {"fullDeployment": False, "local": True}}), "another scope is another place"
    assert "more than once" in wrong(value="1", locations=["a", "a"])


class Recording(pulumi.runtime.Mocks):
    def __init__(self) -> None:
        self.made: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.made[args.name] = dict(args.inputs)
        return f"id-of-{args.name}", {**args.inputs, "variableId": "v", "updatedAt": 7.0}

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        return {}


@pytest.fixture
def engine() -> Iterator[Recording]:
    mocks = Recording()
    # Pulumi takes the thread's own loop, which `asyncio.run` of another test may have taken away
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    set_mocks(mocks, preview=False)
    yield mocks
    set_all_config({}, [])
    asyncio.set_event_loop(None)
    loop.close()


def who(*variables: VariableSettings) -> Any:
    return SimpleNamespace(stack="docker", settings=SimpleNamespace(environment_variables=variables))


def declared(engine: Recording, identity: Any, then: Callable[[list[Any]], Any] = lambda made: made) -> Any:
    """What ``then`` makes of the variables' resources, when the mocked engine has made them."""
    seen: list[Any] = []

    def program() -> None:
        result = then(environment_variables(identity, CONNECTION))
        pulumi.Output.from_input(result if isinstance(result, str | pulumi.Output) else "").apply(seen.append)

    pulumi.runtime.test(program)()
    return seen[0]


def test_values_come_from_the_file_the_environment_and_the_encrypted_configuration(
    engine: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all_config({"secrets:db_password": PLANTED}, ["secrets:db_password"])
    monkeypatch.setenv("OF_THE_SHELL", "from-the-shell-of-a-test")

    declared(
        engine,
        who(
            given(value="hello", locations=["alpha"]),
            given(value="hi", locations=["beta"], scopes={"allBranchDeployments": True}),
            given(name="DB_PASSWORD", secret="db_password"),
            given(name="API", fromEnvironment="OF_THE_SHELL"),
        ),
    )

    made = {name: inputs["value"] for name, inputs in engine.made.items()}
    assert set(made) == {"GREETING-variable", "GREETING-variable-2", "DB_PASSWORD-variable", "API-variable"}, (
        "names stay when locations change, so that a change is an update"
    )
    assert engine.made["GREETING-variable-2"]["locations"] == ["beta"]
    assert engine.made["GREETING-variable-2"]["scopes"]["allBranchDeployments"] is True
    assert engine.made["GREETING-variable"]["name"] == "GREETING"
    assert PLANTED in str(made["DB_PASSWORD-variable"])
    assert "from-the-shell-of-a-test" in str(made["API-variable"])


def test_every_value_is_a_secret_to_pulumi_and_not_printed_by_us(
    engine: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all_config({"secrets:k": PLANTED}, ["secrets:k"])
    monkeypatch.setenv("OF_THE_SHELL", "from-the-shell-of-a-test")
    sent: list[Any] = []
    original = pulumi.Output.secret

    def recorded(value: Any) -> Any:
        sent.append(value)
        return original(value)

    monkeypatch.setattr(pulumi.Output, "secret", staticmethod(recorded))
    declared(
        engine, who(given(value="hello"), given(name="A", secret="k"), given(name="B", fromEnvironment="OF_THE_SHELL"))
    )

    assert {"hello", PLANTED, "from-the-shell-of-a-test"} <= {value for value in sent if isinstance(value, str)}, (
        "a value that is not marked would be in state in plain"
    )
    assert redact(f"{PLANTED} from-the-shell-of-a-test") == f"{MASK} {MASK}", "nor may an error of the program show it"


def test_all_values_that_are_missing_are_told_at_once_and_nothing_is_declared(
    engine: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    monkeypatch.setenv("TOO_LONG", "x" * 5000)
    set_all_config({"secrets:plain": PLANTED}, [])
    identity = who(
        given(value="fine"),
        given(name="A", fromEnvironment="NOT_THERE"),
        given(name="B", secret="nowhere"),
        given(name="C", secret="plain"),
        given(name="D", fromEnvironment="TOO_LONG"),
    )

    with pytest.raises(SettingsError) as caught:
        environment_variables(identity, CONNECTION)

    text = caught.value.sentence()
    assert "The values of 4 environment variables cannot be had:" in text
    assert "A: NOT_THERE is not set in the environment of this command" in text
    assert "B: secrets:nowhere is not set: `pulumi config set --secret secrets:nowhere`" in text
    assert "C: secrets:plain stands in plain in the stack's file" in text, "it is known to whoever reads the file"
    assert "D: its value has 5000 bytes; Dagster+ takes 4096 at most" in text
    assert PLANTED not in text
    assert engine.made == {}, "one variable without a value must not leave the others half done"


def test_a_location_reloads_when_a_variable_that_it_sees_changes_and_for_no_other(engine: Recording) -> None:
    identity = who(
        given(value="hello", locations=["alpha"]),
        given(name="B", value="x", locations=["beta"]),
        given(name="LOCAL", value="x", scopes={"fullDeployment": False, "local": True}),
    )

    seen = declared(engine, identity, lambda made: reloading_hash(identity, "alpha", "c0ffee", made))
    other = declared(engine, identity, lambda made: reloading_hash(identity, "gamma", "c0ffee", made))

    assert len(seen) == 64, "a hash of the content and of when the variable was last changed"
    assert seen != "c0ffee"
    assert other == "c0ffee", "what it does not see leaves its hash, and so its code server, alone"
