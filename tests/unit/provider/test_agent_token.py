"""`AgentToken` against a Dagster+ in memory: what it asks in which order, and what it leaves when something fails."""

from __future__ import annotations

import pytest

from hybrid.errors import HybridError
from hybrid.plus import AgentGrants, AgentToken, PlusRejected, PlusUnreachable
from hybrid.provider.agent_token import AgentTokenResource
from hybrid.provider.resource import PartialError

pytestmark = pytest.mark.unit


@pytest.fixture
def resource(clients):
    return AgentTokenResource(clients)


@pytest.fixture
def inputs(connection):
    return {"connection": connection, "description": "hybrid: local", "grants": {"deployments": ["prod"]}}


NARROW = AgentGrants(deployments=frozenset({"prod"}))


def test_a_new_token_is_narrowed_to_its_grants(resource, plus, inputs, call):
    made = resource.create(inputs, call)

    assert plus.tokens[int(made.id)].grants == NARROW, "a new token is good for the whole organization until then"
    assert made.outputs == {"tokenId": made.id, "token": f"agent:test:{int(made.id):032x}"}


def test_a_token_that_a_killed_update_left_is_revoked_and_others_are_not(resource, plus, inputs, call):
    plus.tokens = {
        1: AgentToken(1, "hybrid: local", revoked=False),
        2: AgentToken(2, "hybrid: prod", revoked=False),
        3: AgentToken(3, "hybrid: local", revoked=True),
    }

    resource.create(inputs, call)

    assert plus.tokens[1].revoked, "nobody has its value"
    assert not plus.tokens[2].revoked, "it is another stack's"
    assert plus.calls.count("revoke_agent_token") == 1


def test_a_token_that_could_not_be_narrowed_is_kept_and_finished_by_the_next_update(resource, plus, inputs, call):
    plus.faults["set_agent_grants"] = PlusRejected("Dagster+ said no.")
    with pytest.raises(PartialError) as caught:
        resource.create(inputs, call)
    plus.faults.clear()

    done = resource.update(caught.value.id, caught.value.outputs, inputs, call)

    assert plus.tokens[int(done.id)].grants == NARROW
    assert done.outputs == caught.value.outputs, "the value is shown once and never again"


def test_a_revoked_or_absent_token_is_gone(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    plus.revoke_agent_token(int(made.id))

    assert resource.read(made.id, inputs, made.outputs, call) is None
    assert resource.read("4711", inputs, made.outputs, call) is None


def test_grants_changed_by_hand_are_drift(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    assert resource.read(made.id, inputs, made.outputs, call).inputs == {}

    plus.set_agent_grants(int(made.id), AgentGrants(organization=True))

    assert resource.read(made.id, inputs, made.outputs, call).inputs == {
        "grants": {"organization": True, "deployments": [], "allBranchDeployments": False}
    }


def test_an_unreachable_dagster_plus_is_an_error_and_never_gone(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    plus.faults["agent_token"] = PlusUnreachable("Nobody answers.", reason="refused")

    with pytest.raises(PlusUnreachable):
        resource.read(made.id, inputs, made.outputs, call)


def test_an_embedded_dagster_plus_that_is_down_keeps_the_token(resource, plus, inputs, call, report, tmp_path):
    token_file = tmp_path / "api-token"
    token_file.touch()
    inputs["connection"] = {**inputs["connection"], "tokenFile": str(token_file)}
    made = resource.create(inputs, call)
    plus.faults["agent_token"] = PlusUnreachable("Nobody answers.", reason="refused")

    assert resource.read(made.id, inputs, made.outputs, call).outputs == made.outputs
    assert report.said[-1][0] == "warning"

    token_file.unlink()
    assert resource.read(made.id, inputs, made.outputs, call) is None, "its data is gone, and the token with it"


def test_deleting_revokes_and_is_no_error_twice(resource, plus, inputs, call):
    made = resource.create(inputs, call)

    resource.delete(made.id, inputs, made.outputs, call)
    resource.delete(made.id, inputs, made.outputs, call)

    assert plus.tokens[int(made.id)].revoked


def test_an_import_needs_the_value_and_keeps_it_secret(resource, plus, call, monkeypatch):
    monkeypatch.delenv("DAGSTER_CLOUD_URL", raising=False)
    monkeypatch.delenv("DAGSTER_CLOUD_AGENT_TOKEN", raising=False)
    plus.tokens = {7: AgentToken(7, "mine", revoked=False, grants=NARROW), 8: AgentToken(8, "old", revoked=True)}
    with pytest.raises(HybridError, match="shows a token's value only when it is made"):
        resource.read("my-team/prod/7", {}, {}, call)

    monkeypatch.setenv("DAGSTER_CLOUD_AGENT_TOKEN", "user:my-team:0123456789abcdef")
    with pytest.raises(HybridError, match="without its value"):
        resource.read("my-team/prod/7", {}, {}, call)

    monkeypatch.setenv("DAGSTER_CLOUD_AGENT_TOKEN", "agent:my-team:0123456789abcdef")
    found = resource.read("my-team/prod/7", {}, {}, call)
    assert found.id == "7"
    assert found.outputs == {"tokenId": "7", "token": "agent:my-team:0123456789abcdef"}
    assert found.inputs["description"] == "mine"
    assert found.inputs["grants"] == {"organization": False, "deployments": ["prod"], "allBranchDeployments": False}
    assert [resource.read(f"my-team/prod/{id}", {}, {}, call) for id in ("8", "9", "x")] == [None, None, None]
