"""What locations name in AWS is found wherever a location can name it, and nothing that is not an ARN gets into a
policy."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as some

from agent.ecs_grants import NamedByLocations, named_in, secret_arn
from agent.ecs_spec import EcsAgentSpec

pytestmark = pytest.mark.unit

ROLE = "arn:aws:iam::123456789012:role/team/orders"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/password-AbCdEf"
LOGIN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:login-AbCdEf"


def location(**ecs):
    return {"location_name": "orders", "container_context": {"ecs": ecs}}


def test_a_location_that_names_nothing_needs_no_grant():
    assert named_in([{}, {"container_context": None}, location()]) == NamedByLocations()


def test_everything_that_a_location_can_name_is_found_once():
    named = named_in(
        [
            location(
                task_role_arn=ROLE,
                secrets=[{"name": "A", "valueFrom": SECRET}, {"name": "B", "valueFrom": f"{SECRET}:key:AWSCURRENT:"}],
                secrets_tags=["team", "team"],
                repository_credentials=LOGIN,
            ),
            location(task_role_arn=ROLE),
        ]
    )
    assert named == NamedByLocations(
        task_role_arns=(ROLE,),
        secret_arns=(SECRET,),
        repository_credential_arns=(LOGIN,),
        secrets_tags=("team",),
    )


@pytest.mark.parametrize("sidecars", ["server_sidecar_containers", "run_sidecar_containers"])
def test_containers_beside_the_codes_have_secrets_and_logins_of_their_own(sidecars):
    container = {
        "name": "proxy",
        "secrets": [{"name": "A", "valueFrom": SECRET}],
        "repositoryCredentials": {"credentialsParameter": LOGIN},
    }
    named = named_in([location(**{sidecars: [container]})])
    assert (named.secret_arns, named.repository_credential_arns) == ((SECRET,), (LOGIN,))


def test_what_another_role_reads_the_stacks_own_role_need_not():
    named = named_in(
        [
            location(
                execution_role_arn=ROLE,
                secrets=[{"name": "A", "valueFrom": SECRET}],
                repository_credentials=LOGIN,
            )
        ]
    )
    assert named == NamedByLocations(execution_role_arns=(ROLE,)), "it is passed to ECS, and reads by its own grants"


@pytest.mark.parametrize(
    "said",
    ["*", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:*", "swordfish", 7, None, f"{SECRET}?"],
    ids=str,
)
def test_what_is_no_arn_gets_into_no_policy(said):
    assert secret_arn(said) is None
    context = {"secrets": [{"name": "A", "valueFrom": said}], "task_role_arn": said, "repository_credentials": said}
    assert named_in([location(**context)]) == NamedByLocations()


JUNK = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    document=some.fixed_dictionaries(
        {},
        optional={
            "container_context": JUNK
            | some.fixed_dictionaries(
                {
                    "ecs": some.fixed_dictionaries(
                        {},
                        optional=dict.fromkeys(
                            ("secrets", "secrets_tags", "task_role_arn", "run_sidecar_containers"), JUNK
                        ),
                    )
                }
            )
        },
    )
)
def test_a_document_of_any_shape_is_read_without_an_error(document):
    named = named_in([document])
    assert all(isinstance(value, str) for part in fields(named) for value in getattr(named, part.name))


def test_the_agents_own_settings_name_things_as_locations_do():
    spec = EcsAgentSpec.model_validate(
        {"secrets": {"A": f"{SECRET}:key::"}, "secretsTag": "team", "repositoryCredentials": LOGIN}
    )
    named = spec.named().joined(named_in([location(secrets_tags=["other"])]))
    assert named == NamedByLocations(
        secret_arns=(SECRET,), repository_credential_arns=(LOGIN,), secrets_tags=("other", "team")
    )
