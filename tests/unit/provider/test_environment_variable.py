"""`EnvironmentVariable` against a Dagster+ in memory: adoption, drift, imports, and that no value is ever shown."""

from __future__ import annotations

import pytest

from hybrid.errors import HybridError
from hybrid.plus import EnvironmentVariable, PlusUnreachable, Scopes
from hybrid.provider.environment_variable import EnvironmentVariableResource
from hybrid.provider.properties import UNKNOWN, Secret
from hybrid.redaction import Token

pytestmark = pytest.mark.unit

VALUE = "swordfish-of-a-test"
FULL = Scopes(full_deployment=True)


@pytest.fixture
def resource(clients):
    return EnvironmentVariableResource(clients)


@pytest.fixture
def inputs(connection):
    return {
        "connection": connection,
        "name": "WAREHOUSE",
        "value": VALUE,
        "scopes": {"fullDeployment": True},
        "locations": [],
    }


def foreign(plus, name="WAREHOUSE", value="theirs-since-long", scopes=FULL, locations=(), id="s1"):
    plus.variables[id] = EnvironmentVariable(id, name, scopes, frozenset(locations), Token(value), 1.0)


def test_a_new_variable_has_its_value_scopes_and_locations(resource, plus, inputs, call):
    made = resource.create({**inputs, "locations": ["hello"]}, call)

    (kept,) = plus.variables.values()
    assert (kept.name, kept.value, kept.scopes, kept.locations) == ("WAREHOUSE", Token(VALUE), FULL, {"hello"})
    assert made.id == f"my-team/prod/{kept.id}"
    assert VALUE not in repr(made.outputs), "outputs are shown"


def test_a_variable_that_a_killed_update_left_is_adopted(resource, plus, inputs, call):
    foreign(plus, value=VALUE)

    assert resource.create(inputs, call).id == "my-team/prod/s1"
    assert "update_environment_variable" not in plus.calls


@pytest.mark.parametrize(
    "theirs",
    [{}, {"scopes": Scopes(full_deployment=True, local=True), "value": VALUE}],
    ids=["another value", "another scope"],
)
def test_a_variable_of_somebody_else_is_refused_with_the_way_to_adopt_it(resource, plus, inputs, call, theirs):
    foreign(plus, **theirs)

    with pytest.raises(HybridError, match="already") as refused:
        resource.create(inputs, call)

    assert "pulumi import dagsterhybrid:index:EnvironmentVariable warehouse my-team/prod/s1" in str(refused.value)
    assert "theirs-since-long" not in str(refused.value)
    assert VALUE not in str(refused.value)
    assert "create_environment_variable" not in plus.calls


def test_a_variable_whose_value_may_not_be_viewed_is_not_taken_for_ours(resource, plus, inputs, call):
    foreign(plus, value=VALUE)
    plus.may_view = False

    with pytest.raises(HybridError, match="already"):
        resource.create(inputs, call)


def test_a_variable_of_one_location_may_stand_beside_one_of_all(resource, plus, inputs, call):
    foreign(plus)

    resource.create({**inputs, "locations": ["hello"]}, call)

    assert len(plus.variables) == 2, "code of that location sees the narrower one"


def test_a_new_variable_needs_a_value(resource, inputs, call):
    del inputs["value"]

    with pytest.raises(HybridError, match="has no value"):
        resource.create(inputs, call)


def test_what_changed_behind_our_back_is_drift(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    assert resource.read(made.id, inputs, made.outputs, call).inputs == {}

    foreign(plus, "RENAMED", "changed-by-hand", Scopes(local=True), ["a"], id=made.outputs["variableId"])
    resource._last_write = float("inf")  # as if the answer at hand were old

    assert resource.read(made.id, inputs, made.outputs, call).inputs == {
        "name": "RENAMED",
        "value": "changed-by-hand",
        "scopes": {"fullDeployment": False, "allBranchDeployments": False, "local": True},
        "locations": ["a"],
    }


def test_a_value_that_may_not_be_viewed_is_sent_again_when_the_variable_changed(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    plus.may_view = False
    assert resource.read(made.id, inputs, made.outputs, call).inputs == {}, "nobody touched it since"

    assert resource.read(made.id, inputs, {**made.outputs, "updatedAt": 0.5}, call).inputs == {"value": ""}


def test_the_difference_names_the_value_and_never_shows_it(resource, inputs):
    before = {**inputs, "value": Secret("one")}
    after = {**inputs, "value": Secret("two"), "locations": []}

    (change,) = resource.diff(before, {}, after)

    assert (change.path, change.how, change.replaces) == ("value", "update", False)
    assert not resource.diff(before, {}, {**inputs, "value": Secret("one")})


def test_locations_in_another_order_are_the_same(resource, inputs):
    assert not resource.diff({**inputs, "locations": ["a", "b"]}, {}, {**inputs, "locations": ["b", "a"]})
    assert resource.diff({**inputs, "locations": ["a", "b"]}, {}, {**inputs, "locations": ["a"]})


def test_a_value_that_is_left_out_stays_as_it_is(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    without = {name: value for name, value in inputs.items() if name != "value"}

    assert not resource.diff(inputs, made.outputs, without), "there is nothing to take away"
    resource.update(made.id, made.outputs, {**without, "locations": ["hello"]}, call)
    (kept,) = plus.variables.values()
    assert (kept.value, kept.locations) == (Token(VALUE), {"hello"})

    plus.may_view = False
    with pytest.raises(HybridError, match="is not known"):
        resource.update(made.id, made.outputs, without, call)


def test_an_import_finds_a_variable_by_id_or_name_and_leaves_its_value(resource, plus, call, monkeypatch):
    monkeypatch.delenv("DAGSTER_CLOUD_URL", raising=False)
    foreign(plus, locations=["hello"])

    for id in ("my-team/prod/s1", "my-team/prod/WAREHOUSE"):
        found = resource.read(id, {}, {}, call)
        assert found.id == "my-team/prod/s1", "the id stays when the variable is renamed"
        assert found.inputs == {
            "connection": {"url": "https://my-team.dagster.cloud", "organization": "my-team", "deployment": "prod"},
            "name": "WAREHOUSE",
            "scopes": {"fullDeployment": True, "allBranchDeployments": False, "local": False},
            "locations": ["hello"],
        }
    assert "environment_variables with values" not in plus.calls, "an import writes code"
    assert resource.read("my-team/prod/OTHER", {}, {}, call) is None


def test_an_import_by_a_name_that_several_have_lists_their_ids(resource, plus, call):
    foreign(plus)
    foreign(plus, scopes=Scopes(local=True), id="s2")

    with pytest.raises(HybridError, match="There are 2") as refused:
        resource.read("my-team/prod/WAREHOUSE", {}, {}, call)
    assert "my-team/prod/s2: local" in str(refused.value)


def test_a_deleted_variable_is_gone(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    resource.delete(made.id, inputs, made.outputs, call)
    resource.delete(made.id, inputs, made.outputs, call)

    assert resource.read(made.id, inputs, made.outputs, call) is None


def test_an_unreachable_dagster_plus_is_an_error_and_an_embedded_one_that_is_down_is_not(
    resource, plus, inputs, call, report, tmp_path
):
    plus.faults["environment_variables with values"] = PlusUnreachable("Nobody answers.", reason="refused")
    outputs = {"variableId": "s1", "updatedAt": 1.0}
    with pytest.raises(PlusUnreachable):
        resource.read("id", inputs, outputs, call)

    (tmp_path / "api-token").touch()
    inputs["connection"] = {**inputs["connection"], "tokenFile": str(tmp_path / "api-token")}
    assert resource.read("id", inputs, outputs, call).outputs == outputs
    assert report.said[-1][0] == "warning"


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"scopes": {"fullDeployment": False}}, "scopes"),
        ({"name": "A=B"}, "name"),
        ({"name": "A B"}, "name"),
        ({"name": "A\n"}, "name"),
    ],
)
def test_what_could_be_set_nowhere_is_refused_before_the_update(resource, inputs, wrong, path):
    (failure,) = resource.check({**inputs, **wrong})

    assert failure.path == path
    assert VALUE not in failure.reason


def test_what_is_not_known_yet_is_not_judged(resource, inputs):
    assert not resource.check({**inputs, "name": UNKNOWN, "scopes": UNKNOWN})


def test_a_variable_is_left_to_the_code_of_serverless(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    plus.agent_type = "SERVERLESS"
    resource.delete(made.id, inputs, made.outputs, call)

    assert made.outputs["variableId"] in plus.variables, "after a switch that was taken back its code reads it"
