"""What the stack file says of environment variables that Dagster+ sets for code locations."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, StringConstraints, field_validator, model_validator

from agent.spec import LocationName, Spec, VariableName
from hybrid.redaction import looks_secret

LONGEST_VALUE: Final = 4096
"""Bytes of a value; Dagster+'s documentation names 4 KB as the most that it takes."""

SecretKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,127}$")]

_SOURCES: Final = ("value", "fromEnvironment", "secret")


class VariableScopes(Spec):
    """Where a variable is set."""

    full_deployment: bool = True
    """Whether the full deployment has it. Default true."""

    all_branch_deployments: bool = False
    """Whether all branch deployments of it have it. Default false: a branch's code is not reviewed yet."""

    local: bool = False
    """Whether `dg plus pull env` brings it to people's machines. Default false."""

    @model_validator(mode="after")
    def _somewhere(self) -> VariableScopes:
        if not (self.full_deployment or self.all_branch_deployments or self.local):
            raise ValueError("set one of `fullDeployment`, `allBranchDeployments` and `local`, or it is set nowhere")
        return self


class VariableSettings(Spec):
    """An environment variable of code locations, kept in Dagster+. Its value comes from exactly one source."""

    name: VariableName
    """The variable's name."""

    value: str | None = None
    """The value itself, up to 4096 bytes, for what anybody may read. What looks like a secret is refused."""

    from_environment: VariableName | None = None
    """The name of a variable, in the environment of `hybrid up`, that holds the value; it is treated as a secret."""

    secret: SecretKey | None = None
    """The key of the stack's encrypted configuration that holds the value: `db_password` is `secrets:db_password`."""

    locations: tuple[LocationName, ...] = ()
    """Names of the only locations that see it. Default: all of the deployment."""

    scopes: VariableScopes = Field(default_factory=VariableScopes)
    """Where it is set. Default: in the full deployment only."""

    @field_validator("locations")
    @classmethod
    def _located_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the location {twice[0]} is named more than once")
        return names

    @model_validator(mode="after")
    def _one_source(self) -> VariableSettings:
        given = [self.value, self.from_environment, self.secret]
        if sum(source is not None for source in given) != 1:
            raise ValueError(f"give {self.name} exactly one of {', '.join(f'`{name}`' for name in _SOURCES)}")
        if self.value is not None:
            self._refuse_plain(self.value)
        return self

    def _refuse_plain(self, value: str) -> None:
        if looks_secret(self.name, value):
            raise ValueError(
                f"{self.name} looks like a secret, and this file is no place for one; put it into the stack's "
                f"encrypted configuration under a key such as {self.name.lower()} and name that key in `secret`, "
                "or take it by `fromEnvironment`"
            )
        if "\0" in value:
            raise ValueError(f"the value of {self.name} holds a NUL character, which no environment variable can")
        if len(value.encode()) > LONGEST_VALUE:
            raise ValueError(
                f"the value of {self.name} has more than {LONGEST_VALUE} bytes, the most that Dagster+ takes"
            )

    def shares_place_with(self, other: VariableSettings) -> bool:
        """Whether both would be set at one place, where Dagster+ takes only one of a name."""
        scopes, others = self.scopes, other.scopes
        alike = (
            (scopes.full_deployment and others.full_deployment)
            or (scopes.all_branch_deployments and others.all_branch_deployments)
            or (scopes.local and others.local)
        )
        return alike and (self.locations == other.locations == () or bool({*self.locations} & {*other.locations}))


def without_repetition(variables: tuple[VariableSettings, ...]) -> tuple[VariableSettings, ...]:
    """``variables``, none of which stands for the same place as another of its name. Raises ``ValueError``."""
    for index, variable in enumerate(variables):
        for earlier in variables[:index]:
            if variable.name == earlier.name and variable.shares_place_with(earlier):
                raise ValueError(
                    f"{variable.name} is given more than once for the same place; give each its own `locations` "
                    "or `scopes`, or remove one"
                )
    return variables
