"""The state of components: through the real storages of agents and of ``dg``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from dagster._serdes import deserialize_value
from dagster_cloud.storage.defs_state.storage import GraphQLDefsStateStorage
from dagster_cloud_cli.gql import graphql_client_from_url
from dagster_dg_cli.utils.plus.defs_state_storage import DagsterPlusCliDefsStateStorage
from dagster_rest_resources.gql_client import DagsterPlusGraphQLClient
from dagster_shared.serdes.objects.models.defs_state_info import DefsKeyStateInfo, DefsStateInfo

from hybrid.emulator.organization import Organization
from hybrid.emulator.organization.definitions_state import DefinitionsState
from tests.unit.emulator.serving import Served, served

pytestmark = pytest.mark.unit


@pytest.fixture
def plane(organization: Organization, tmp_path: Path, standin: ModuleType) -> Iterator[Served]:
    with served(organization, tmp_path, standin) as plane:
        yield plane


@pytest.fixture
def agents_storage(plane: Served) -> Iterator[GraphQLDefsStateStorage]:
    with graphql_client_from_url(plane.url, plane.agent_token) as client:
        storage = GraphQLDefsStateStorage(override_graphql_client=client)
        instance = SimpleNamespace(
            dagster_cloud_url=plane.url, dagster_cloud_agent_token=plane.agent_token, deployment_name="prod"
        )
        storage.__dict__["_instance_weakref"] = lambda: instance
        yield storage


@pytest.fixture
def dgs_storage(plane: Served) -> DagsterPlusCliDefsStateStorage[object]:
    client = DagsterPlusGraphQLClient(url=plane.url, api_token=plane.api_token, organization="local", deployment="prod")
    return DagsterPlusCliDefsStateStorage(plane.url, plane.api_token, "prod", client, "local")


def test_what_agents_get_is_what_dagster_would_have_written(organization: Organization) -> None:
    state = DefinitionsState(organization._database, clock=lambda: 12.5)
    assert state.latest("prod") is None, "there is no state before one was set"
    state.set_version("prod", "DbtComponent[a]", "v1")
    state.set_version("prod", 'a "quoted" ö key', "v2")
    expected = DefsStateInfo(
        info_mapping={
            'a "quoted" ö key': DefsKeyStateInfo(version="v2", create_timestamp=12.5),
            "DbtComponent[a]": DefsKeyStateInfo(version="v1", create_timestamp=12.5),
        }
    )
    assert deserialize_value(state.latest("prod") or "", DefsStateInfo) == expected, "agents would read something else"
    assert state.latest("other") is None, "another deployment has the state as well"


def test_an_agent_uploads_state_and_finds_it_again(agents_storage: GraphQLDefsStateStorage, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"tables": []}')
    agents_storage.upload_state_from_path("component", "v1", tmp_path / "state.json")
    info = agents_storage.get_latest_defs_state_info()
    assert info is not None
    assert info.get_version("component") == "v1", "the version was not set with the upload"
    agents_storage.download_state_to_path("component", "v1", tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == '{"tables": []}', "the state is not what was uploaded"


def test_dg_and_the_agents_see_the_same_state(
    agents_storage: GraphQLDefsStateStorage, dgs_storage: DagsterPlusCliDefsStateStorage[object], tmp_path: Path
) -> None:
    assert dgs_storage.get_latest_defs_state_info() is None, "there is no state before one was set"
    (tmp_path / "state.json").write_text("{}")
    dgs_storage.upload_state_from_path("component", "v7", tmp_path / "state.json")
    agents_storage.download_state_to_path("component", "v7", tmp_path / "again.json")
    theirs, ours = dgs_storage.get_latest_defs_state_info(), agents_storage.get_latest_defs_state_info()
    assert theirs == ours, "a location would be built with another state than it runs with"


def test_no_version_drops_the_key(
    agents_storage: GraphQLDefsStateStorage, dgs_storage: DagsterPlusCliDefsStateStorage[object]
) -> None:
    for key in ("kept", "dropped"):
        agents_storage.set_latest_version(key, "v1")
    agents_storage.set_latest_version("dropped", None)
    info = dgs_storage.get_latest_defs_state_info()
    assert info is not None
    assert set(info.info_mapping) == {"kept"}, "a dropped key is still listed"


@pytest.mark.parametrize("key", ["", "__class__", "__mapping_items__"])
def test_a_key_that_dagster_would_take_for_its_own_is_refused(organization: Organization, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        organization.definitions_state.set_version("prod", key, "v1")


def test_a_revoked_token_sets_no_version(plane: Served) -> None:
    record, token = plane.organization.tokens.create("agent", "gone")
    plane.organization.tokens.revoke(record.id)
    plane.ask('mutation { defsState { setLatestDefsStateVersion(key: "k", version: "v") { ok } } }', token.reveal())
    assert plane.organization.definitions_state.latest("prod") is None, "a revoked token changed the state"
