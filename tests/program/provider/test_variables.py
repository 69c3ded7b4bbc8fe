"""Environment variables of the stack file on the real engine: from its encrypted configuration to Dagster+ embedded.

No agent runs here, so that locations reload is shown by what would make them: the hash.
"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.program

PROGRAM = """
from types import SimpleNamespace
from stacks.variable_settings import VariableSettings
from stacks.variables import environment_variables, reloading_hash

DECLARED = [
    {"name": "DB_PASSWORD", "secret": "db_password"},
    {"name": "API_KEY", "fromEnvironment": "KEY_OF_THE_SHELL", "locations": ["hello"]},
    {"name": "GREETING", "value": "hello"},
]
who = SimpleNamespace(stack="dev", settings=SimpleNamespace(
    environment_variables=tuple(VariableSettings.model_validate(one) for one in DECLARED)))
made = environment_variables(who, DAGSTER_PLUS, AFTER)
pulumi.export("hello", reloading_hash(who, "hello", "content", made))
pulumi.export("other", reloading_hash(who, "other", "content", made))
"""


def test_values_reach_dagster_plus_and_are_in_plain_nowhere_else(project, emulator, plus):
    first, second, third = "first-db-value-of-a-test", "second-db-value-of-a-test", "shell-value-of-a-test"
    project.environment["KEY_OF_THE_SHELL"] = third
    project.declare(emulator + PROGRAM)

    said = project.up(succeeds=False)
    assert "secrets:db_password is not set" in said, "what is missing is named, with the command that sets it"

    project.pulumi("config", "set", "--secret", "secrets:db_password", first)
    said = project.up()
    with plus() as client:
        kept = {variable.name: variable for variable in client.environment_variables(values=True)}
    assert {name: found.value.reveal() for name, found in kept.items()} == {
        "DB_PASSWORD": first, "API_KEY": third, "GREETING": "hello"
    }  # fmt: skip
    assert kept["API_KEY"].locations == {"hello"}
    assert "ciphertext" in project.outputs("DB_PASSWORD-variable")["value"]
    before = project.pulumi("stack", "output", "hello"), project.pulumi("stack", "output", "other")

    project.pulumi("config", "set", "--secret", "secrets:db_password", second)
    said += project.up()
    after = project.pulumi("stack", "output", "hello"), project.pulumi("stack", "output", "other")
    assert before[0] != after[0], "a location reloads when a variable that it sees changed"
    assert before[1] != after[1], "and so does another that sees it"
    assert "unchanged" in project.up(), "a further up changes nothing"
    assert after[0] == project.pulumi("stack", "output", "hello"), "and reloads nothing"
    for value in (first, second, third):
        assert value not in said + project.state_text(), "a value is in Dagster+, and in state as ciphertext"
