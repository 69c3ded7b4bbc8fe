"""What the emulator says of rights on Dagster's own schema, against the installed Dagster."""

from __future__ import annotations

import pytest
from dagster._core.workspace.permissions import EDITOR_PERMISSIONS, Permissions
from dagster_graphql.schema import create_schema

from hybrid.emulator.api.oss_mutations import AGENTS_MUTATIONS, PERMISSIONS, ROLE_BY_MUTATION

pytestmark = pytest.mark.contracts


def test_permissions_are_those_of_dagster() -> None:
    assert set(PERMISSIONS) == {permission.value for permission in Permissions}


def test_what_dagster_gives_to_nobody_is_given_to_nobody() -> None:
    withheld = {permission.value for permission in Permissions if not EDITOR_PERMISSIONS[permission]}
    assert {name for name, mutations in PERMISSIONS.items() if not mutations} == withheld


def test_each_mutation_of_dagster_has_its_role_and_none_is_made_up() -> None:
    schema = create_schema().graphql_schema
    assert schema.mutation_type is not None
    assert set(ROLE_BY_MUTATION) == set(schema.mutation_type.fields), "one that is new takes EDITOR until it is listed"


def test_permissions_and_agents_tokens_name_mutations_that_there_are() -> None:
    named = {mutation for mutations in PERMISSIONS.values() for mutation in mutations}
    assert named <= set(ROLE_BY_MUTATION)
    assert set(ROLE_BY_MUTATION) >= AGENTS_MUTATIONS
