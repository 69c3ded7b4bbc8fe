"""Variables that a stack takes over: which these are, and that each comes back as it was, whatever kill came when."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.delivery.stack_file import StackFile
from hybrid.plus import EnvironmentVariable, PlusClient, PlusRejected, Scopes
from hybrid.redaction import Token
from hybrid.switch import kept, taken_variables
from stacks.variable_settings import VariableSettings

pytestmark = pytest.mark.unit

FULL = Scopes(full_deployment=True)


class Killed(BaseException):
    """Nothing catches it."""


@dataclass
class Deployment:
    """Takes the client's calls, as Dagster+ takes them: no two of a name at a place."""

    standing: list[EnvironmentVariable]
    tells: bool = True
    fuse: int | None = None
    made: int = 0
    calls: list[str] = field(default_factory=list)

    def environment_variables(self, *, values: bool = False) -> list[EnvironmentVariable]:
        return [each if values and self.tells else replace(each, value=None) for each in self.standing]

    def delete_environment_variable(self, id: str) -> bool:
        before = len(self.standing)
        self.standing = [each for each in self.standing if each.id != id]
        self._called(f"delete {id}")
        return len(self.standing) < before

    def create_environment_variable(
        self, name: str, value: Token, scopes: Scopes, locations: Collection[str] = ()
    ) -> EnvironmentVariable:
        if any(each.name == name and each.shares_place_with(scopes, frozenset(locations)) for each in self.standing):
            raise PlusRejected("There is one.")
        self.made += 1
        self.standing.append(variable(f"n{self.made}", name, value.reveal(), scopes, *locations))
        self._called(f"create {name}")
        return self.standing[-1]

    def _called(self, call: str) -> None:
        self.calls.append(call)
        if self.fuse is not None and len(self.calls) == self.fuse:
            raise Killed

    @property
    def client(self) -> PlusClient:
        return cast(PlusClient, self)

    def said(self) -> set[tuple[str, str, Scopes, frozenset[str]]]:
        return {
            (each.name, each.value.reveal() if each.value else "", each.scopes, each.locations)
            for each in self.standing
        }


def variable(id: str, name: str, value: str, scopes: Scopes = FULL, *locations: str) -> EnvironmentVariable:
    return EnvironmentVariable(
        id=id, name=name, scopes=scopes, locations=frozenset(locations), value=Token(value), updated_at=None
    )


def declared(name: str, **more: object) -> VariableSettings:
    return VariableSettings.model_validate({"name": name, "fromEnvironment": "SET", **more})


THEIRS = (
    variable("a", "URL", "serverless"),
    variable("b", "URL", "branches", Scopes(all_branch_deployments=True)),
    variable("c", "ONE", "of alpha", FULL, "alpha", "beta"),
    variable("d", "OTHER", "theirs"),
)


def test_taken_is_what_stands_at_the_place_of_one_of_the_stack_s() -> None:
    plus = Deployment(list(THEIRS))
    taken = taken_variables.taken(plus.client, [declared("URL"), declared("ONE", locations=["beta"]), declared("NEW")])
    assert [each.id for each in taken] == ["a", "c"], "branch deployments' own, and others, stay"
    assert all(each.is_told for each in taken)
    assert taken_variables.taken(plus.client, [declared("ONE")]) == [], "of one location goes before that of all"
    plus.tells = False
    assert [each.is_told for each in taken_variables.taken(plus.client, [declared("URL")])] == [False]


def test_without_variables_of_its_own_a_stack_asks_for_none() -> None:
    class Forbidden:
        def environment_variables(self, **how: bool) -> None:
            raise AssertionError("a token that may not see variables would stop the switch")

    assert taken_variables.taken(cast(PlusClient, Forbidden()), []) == []


@given(kill=st.integers(1, 12), again=st.integers(1, 12))
def test_taken_over_and_back_each_is_as_it_was_whatever_was_killed(kill: int, again: int) -> None:
    plus, stack = Deployment(list(THEIRS)), [declared("URL"), declared("ONE", locations=["beta"])]
    before = plus.said()
    held = taken_variables.documents(taken_variables.found(plus.client, stack))
    for fuse in (kill, None):
        plus.fuse, plus.calls = fuse, []
        try:
            taken_variables.release(plus.client, held)
        except Killed:
            continue
    plus.create_environment_variable("URL", Token("hybrid"), FULL)  # as the stack does it
    plus.create_environment_variable("ONE", Token("hybrid"), FULL, ["beta"])
    taken_variables.release(plus.client, held)
    assert len(plus.standing) == 4, "a switch that goes on would take the stack's own away"
    for fuse in (again, None):
        plus.fuse, plus.calls = fuse, []
        try:
            assert taken_variables.restore(plus.client, held) == []
        except Killed:
            continue
    assert plus.said() == before


def test_a_value_that_nobody_knew_is_named_and_what_stands_stays() -> None:
    plus = Deployment([variable("a", "URL", "serverless")], tells=False)
    held = taken_variables.documents(taken_variables.found(plus.client, [declared("URL")]))
    assert held["a"]["value"] is None
    taken_variables.release(plus.client, held)
    plus.create_environment_variable("URL", Token("hybrid"), FULL)
    assert taken_variables.restore(plus.client, held) == ["URL"]
    assert [each.id for each in plus.standing] == ["n1"], "code would have none at all"


def test_one_that_was_never_taken_is_not_touched_on_the_way_back() -> None:
    plus = Deployment(list(THEIRS))
    held = taken_variables.documents(taken_variables.found(plus.client, [declared("URL")]))
    assert taken_variables.restore(plus.client, held) == []
    assert plus.calls == []


def test_kept_values_are_for_their_owner_alone(tmp_path: Path) -> None:
    held = taken_variables.documents([variable("a", "URL", "postgres://u:secret@h")])
    digest = kept.keep(tmp_path / "v.json", held)
    assert (tmp_path / "v.json").stat().st_mode & 0o777 == 0o600
    assert kept.kept(tmp_path / "v.json", digest) == held, "redacted it would be no way back"


def test_values_that_are_not_at_hand_are_named_with_where_they_were_looked_for(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text("config:\n  secrets:there:\n    secure: v1:abc\n")
    settings = [
        VariableSettings.model_validate({"name": "A", "fromEnvironment": "A_IS_SET"}),
        VariableSettings.model_validate({"name": "B", "fromEnvironment": "B_IS_NOT"}),
        VariableSettings.model_validate({"name": "C", "secret": "there"}),
        VariableSettings.model_validate({"name": "D", "secret": "missing"}),
        declared("E"),
    ]
    missing = list(taken_variables.without_value(settings, {"A_IS_SET": "", "SET": ""}, StackFile(file)))
    assert [name for name, _ in missing] == ["B", "D"]
    assert missing[0][1] == "B_IS_NOT of the environment"
    assert missing[1][1].startswith("secrets:missing of ")
