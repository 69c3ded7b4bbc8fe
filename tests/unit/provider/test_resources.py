"""Classes take their arguments as one object, as our programs give them, or one by one, as code that `pulumi import`
writes does. What is registered is the same; that such code runs is the program tests' to show."""

from __future__ import annotations

import pytest

from hybrid.provider import resources
from hybrid.provider.resources import _given, _properties

pytestmark = pytest.mark.unit

CONNECTION = {"url": "https://my-team.dagster.cloud", "organization": "my-team", "deployment": "prod"}


@pytest.mark.parametrize(
    ("cls", "inputs", "registered"),
    [
        (
            resources.AgentTokenArgs,
            {"description": "mine", "grants": {"deployments": ["prod"], "all_branch_deployments": True}},
            {
                "description": "mine",
                "grants": {"organization": False, "deployments": ["prod"], "allBranchDeployments": True},
            },
        ),
        (
            resources.EnvironmentVariableArgs,
            {"name": "A", "scopes": {"full_deployment": True, "branch_deployment": "b"}, "locations": ["l"]},
            {
                "name": "A",
                "scopes": {
                    "fullDeployment": True, "allBranchDeployments": False, "branchDeployment": "b", "local": False,
                },
                "locations": ["l"],
            },
        ),
        (
            resources.CodeLocationArgs,
            {"name": "a", "document": {"code_source": {"package_name": "a"}}},
            {"name": "a", "document": {"code_source": {"package_name": "a"}}},
        ),
    ],
    ids=["AgentToken", "EnvironmentVariable", "CodeLocation"],
)  # fmt: skip
def test_arguments_one_by_one_register_what_one_object_does(cls, inputs, registered):
    given = _given(cls, None, {"connection": CONNECTION, **inputs})

    assert _properties(given, ()) == {"connection": CONNECTION, **registered}, "keys are those of the schema"


def test_arguments_both_ways_are_refused():
    args = resources.BuildFileArgs(checkout="/c", path="build.yaml", values={})

    with pytest.raises(TypeError, match="give BuildFileArgs, or path without it"):
        _given(resources.BuildFileArgs, args, {"path": "other.yaml"})


def test_what_is_secret_is_not_in_a_printed_argument():
    connection = resources.Connection(**CONNECTION)
    scopes = resources.EnvironmentVariableScopes(full_deployment=True)
    variable = resources.EnvironmentVariableArgs(connection, "A", scopes, value="swordfish-of-a-test")
    policy = resources.AlertPolicyArgs(connection, "a", {}, notification_service={"key": "swordfish-of-a-test"})

    assert "swordfish" not in repr(variable) + repr(policy)
