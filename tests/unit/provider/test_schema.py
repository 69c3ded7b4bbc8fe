"""The package schema against the classes that programs use, both ways, and against the rules of Pulumi's schema.

It cannot prove that Pulumi's code generators like the schema: they are not run.
"""

from __future__ import annotations

import dataclasses
import inspect
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pulumi
import pytest

from hybrid.provider import schema
from hybrid.provider.catalog import resources
from hybrid.provider.definition import PACKAGE

pytestmark = pytest.mark.unit

SCHEMA = schema.package([resource.definition for resource in resources().values()])
MODULES = sorted(file.stem for file in Path(schema.__file__).parent.glob("*resources.py"))
classes = SimpleNamespace(
    **{k: v for name in MODULES for k, v in vars(import_module(f"hybrid.provider.{name}")).items()}
)
NAMES = sorted(token.rpartition(":")[2] for token in SCHEMA["resources"])


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def fields(cls):
    return {camel(item.name): item for item in dataclasses.fields(cls)}


@pytest.mark.parametrize("name", NAMES)
def test_arguments_of_the_class_are_the_inputs_of_the_schema(name):
    described = SCHEMA["resources"][f"{PACKAGE}:index:{name}"]
    arguments = fields(getattr(classes, f"{name}Args"))

    assert arguments.keys() == described["inputProperties"].keys()
    required = {
        key
        for key, item in arguments.items()
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    }
    assert required == set(described["requiredInputs"]), "what must be given is the same in both"


@pytest.mark.parametrize("name", NAMES)
def test_attributes_of_the_class_are_the_outputs_of_the_schema(name):
    described = SCHEMA["resources"][f"{PACKAGE}:index:{name}"]
    cls = getattr(classes, name)
    ours = cls.__mro__[: cls.__mro__.index(pulumi.CustomResource)]
    attributes = {camel(key) for each in ours for key, value in vars(each).items() if isinstance(value, property)}

    assert attributes == described["properties"].keys() - described["inputProperties"].keys()
    assert f'"{PACKAGE}:index:{name}"' in inspect.getsource(cls), "the class registers the type of the schema"


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("Connection", classes.Connection),
        ("AgentGrants", classes.AgentGrants),
        ("EnvironmentVariableScopes", classes.EnvironmentVariableScopes),
    ],
)
def test_object_types_have_the_fields_of_their_classes(name, cls):
    assert SCHEMA["types"][f"{PACKAGE}:index:{name}"]["properties"].keys() == fields(cls).keys()


@pytest.mark.parametrize(("name", "cls"), [("AgentType", classes.AgentType), ("RunsOnDelete", classes.RunsOnDelete)])
def test_choices_have_the_members_of_their_classes(name, cls):
    described = SCHEMA["types"][f"{PACKAGE}:index:{name}"]

    assert [value["value"] for value in described["enum"]] == [member.value for member in cls]
    assert all(value["description"] for value in described["enum"])


def test_every_reference_has_a_target():
    def references(value):
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            for item in value.values():
                yield from references(item)

    own = {reference for reference in references(SCHEMA) if reference.startswith("#/types/")}
    assert own == {f"#/types/{token}" for token in SCHEMA["types"]}


def test_everything_is_described_and_secrets_are_secret():
    for token, described in SCHEMA["resources"].items():
        assert described["description"], token
        for name, spec in described["properties"].items():
            assert spec["description"], f"{token}.{name}"
    assert SCHEMA["resources"][f"{PACKAGE}:index:AgentToken"]["properties"]["token"]["secret"] is True
    assert SCHEMA["resources"][f"{PACKAGE}:index:Process"]["properties"]["secretEnvironment"]["secret"] is True


def test_every_type_is_listed_under_the_token_that_it_has() -> None:
    listed = resources()
    assert {token: each.definition.token for token, each in listed.items()} == {token: token for token in listed}, (
        "the engine finds a type by the token in the list, and state records the one that the type has"
    )
