"""Environment variables of a deployment at whose place the stack's file has one of its own.

Dagster+ has one of a name at a place, and the provider leaves somebody else's alone and fails. So the former ones are
kept, go when the stack's come, and come back when the switch is taken back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hybrid.plus import EnvironmentVariable, PlusClient, Scopes
from hybrid.redaction import Token
from hybrid.switch.work import TakenVariable

if TYPE_CHECKING:
    from hybrid.delivery.stack_file import StackFile
    from stacks.variable_settings import VariableSettings

_SECRETS = "secrets:"
"""The namespace of the stack's encrypted configuration (stacks/variables.py)."""


def found(client: PlusClient, declared: Sequence[VariableSettings]) -> list[EnvironmentVariable]:
    """With their values, where the token may see them."""
    if not declared:
        return []
    places = [(each.name, _scopes(each), frozenset(each.locations)) for each in declared]
    return [
        one
        for one in client.environment_variables(values=True)
        if any(one.name == name and one.shares_place_with(scopes, locations) for name, scopes, locations in places)
    ]


def taken(client: PlusClient, declared: Sequence[VariableSettings]) -> list[TakenVariable]:
    return [TakenVariable(one.id, one.name, one.value is not None) for one in found(client, declared)]


def without_value(
    declared: Sequence[VariableSettings], environ: Mapping[str, str], file: StackFile
) -> Iterator[tuple[str, str]]:
    """Names of those whose value is not at hand, and where it was looked for. Whether a ciphertext can be read is for
    the engine."""
    for one in declared:
        if one.from_environment is not None and one.from_environment not in environ:
            yield one.name, f"{one.from_environment} of the environment"
        if one.secret is not None and file.setting(f"{_SECRETS}{one.secret}") is None:
            yield one.name, f"{_SECRETS}{one.secret} of {file.shown}"


def documents(variables: Sequence[EnvironmentVariable]) -> dict[str, dict[str, Any]]:
    """To be kept, by id; with the values in plain."""
    return {
        one.id: {
            "name": one.name,
            "scopes": asdict(one.scopes),
            "locations": sorted(one.locations),
            "value": None if one.value is None else one.value.reveal(),
        }
        for one in variables
    }


def release(client: PlusClient, kept: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The kept ones go, and by their ids alone: what the stack has made meanwhile stays. Their names."""
    return [document["name"] for id, document in kept.items() if client.delete_environment_variable(id)]


def restore(client: PlusClient, kept: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Each as it was, in place of what stands there. The names of those that are lost: nobody knew their value."""
    lost = []
    for id, document in kept.items():
        scopes, locations = Scopes(**document["scopes"]), frozenset(document["locations"])
        standing = [
            one
            for one in client.environment_variables(values=True)
            if one.name == document["name"] and one.shares_place_with(scopes, locations)
        ]
        if any(one.id == id for one in standing):
            continue
        if document["value"] is None:
            lost.append(document["name"])
            continue
        value = Token(document["value"])
        if [(one.scopes, one.locations, one.value) for one in standing] == [(scopes, locations, value)]:
            continue  # a kill came after it was put back
        for one in standing:
            client.delete_environment_variable(one.id)
        client.create_environment_variable(document["name"], value, scopes, locations)
    return lost


def _scopes(declared: VariableSettings) -> Scopes:
    said = declared.scopes
    return Scopes(said.full_deployment, said.all_branch_deployments, None, said.local)
