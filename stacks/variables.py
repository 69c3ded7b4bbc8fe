"""Environment variables of code locations in the program: from the stack file to resources of Dagster+."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Final

import pulumi
from pulumi.runtime.config import get_config, is_config_secret

from hybrid.errors import SettingsError
from hybrid.provider.resources import (
    Connection,
    EnvironmentVariable,
    EnvironmentVariableArgs,
    EnvironmentVariableScopes,
)
from hybrid.redaction import register
from stacks.identity import StackIdentity
from stacks.variable_settings import LONGEST_VALUE, VariableSettings

SECRETS: Final = "secrets"
"""The namespace of the stack's encrypted configuration: ``secret: db_password`` reads ``secrets:db_password``."""


def environment_variables(
    who: StackIdentity, connection: Connection, opts: pulumi.ResourceOptions | None = None
) -> list[EnvironmentVariable]:
    """The stack's variables, in the order of its file. Their values are secrets in state, plans and output.

    A resource is named by its variable, a further one of the same name by its place among them, so that other
    locations or scopes are an update and no replacement.

    Raises ``SettingsError`` for all values that are missing or too long at once, before any resource is declared.
    """
    settings = who.settings.environment_variables
    values = _values(who, settings)
    made: list[EnvironmentVariable] = []
    for index, (variable, value) in enumerate(zip(settings, values, strict=True)):
        nth = sum(earlier.name == variable.name for earlier in settings[:index]) + 1
        made.append(
            EnvironmentVariable(
                f"{variable.name}-variable" if nth == 1 else f"{variable.name}-variable-{nth}",
                EnvironmentVariableArgs(
                    connection=connection,
                    name=variable.name,
                    value=value,
                    scopes=EnvironmentVariableScopes(
                        full_deployment=variable.scopes.full_deployment,
                        all_branch_deployments=variable.scopes.all_branch_deployments,
                        local=variable.scopes.local,
                    ),
                    locations=variable.locations,
                ),
                opts,
            )
        )
    return made


def reloading_hash(
    who: StackIdentity,
    location: str,
    content_hash: pulumi.Input[str] | None,
    variables: Sequence[EnvironmentVariable],
) -> pulumi.Input[str] | None:
    """A location's ``content_hash`` that is also another one whenever a variable that it sees has changed.

    A code server reads its variables once, when it starts (dagster_cloud/secrets/loader.py). Dagster+'s documentation
    says that saving one in its pages deploys the locations again; whether the API does is not public, so the stack
    makes agents reload. ``variables`` are those of ``environment_variables``. Without one that the location sees,
    ``content_hash`` itself.
    """
    seen = [
        made
        for variable, made in zip(who.settings.environment_variables, variables, strict=True)
        if variable.scopes.full_deployment and (not variable.locations or location in variable.locations)
    ]
    if not seen:
        return content_hash
    parts = [
        pulumi.Output.from_input(content_hash or ""),
        *(part for made in seen for part in (made.id, made.updated_at)),
    ]
    return pulumi.Output.all(*parts).apply(_digest)


def _digest(parts: Sequence[object]) -> str:
    return hashlib.sha256("\n".join(str(part) for part in parts).encode()).hexdigest()


def _values(who: StackIdentity, settings: Sequence[VariableSettings]) -> list[pulumi.Input[str]]:
    values: list[pulumi.Input[str]] = []
    wrong: list[str] = []
    for variable in settings:
        try:
            values.append(_value(variable))
        except ValueError as problem:
            wrong.append(f"  {variable.name}: {problem}")
    if wrong:
        raise SettingsError(
            f"The values of {len(wrong)} environment variable{'s' if len(wrong) > 1 else ''} cannot be had:",
            why="\n".join(wrong),
            next_step="set what is missing, then run the command again; they are named under "
            f"`hybrid:environmentVariables` in stacks/Pulumi.{who.stack}.yaml (docs/environment-variables.md).",
        )
    return values


def _value(variable: VariableSettings) -> pulumi.Input[str]:
    """Raises ``ValueError`` with what is wrong, without the value."""
    if variable.value is not None:
        return variable.value
    value = _from_config(variable.secret) if variable.secret else _from_environment(variable.from_environment or "")
    register(value)
    size = len(value.encode())
    if size > LONGEST_VALUE:
        raise ValueError(f"its value has {size} bytes; Dagster+ takes {LONGEST_VALUE} at most")
    return pulumi.Output.secret(value)


def _from_config(key: str) -> str:
    full_key = f"{SECRETS}:{key}"
    value = get_config(full_key)
    if value is None:
        raise ValueError(f"{full_key} is not set: `pulumi config set --secret {full_key}` asks for it")
    if not is_config_secret(full_key):
        raise ValueError(
            f"{full_key} stands in plain in the stack's file; take it to be known to others, and set a new one by "
            f"`pulumi config set --secret {full_key}`"
        )
    return str(value)


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ValueError(f"{name} is not set in the environment of this command")
    return value
