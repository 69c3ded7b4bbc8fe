"""Documents that Dagster+'s own schema of locations refuses are refused here, and nothing is stored.

The judge is the installed ``dagster_cloud``'s ``validate_workspace_location``, not a copy of it.
"""

from __future__ import annotations

from typing import Any

import pytest
from dagster_cloud_cli import gql

from hybrid.emulator.organization import Organization
from hybrid.emulator.runtime import location_document
from tests.unit.emulator.asking import Asking, sent_by_dg_api

pytestmark = pytest.mark.unit

GOOD: dict[str, Any] = {"location_name": "alpha", "code_source": {"module_name": "m.defs"}, "image": "r:1", "git": {}}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "build": ({**GOOD, "build": {"directory": ".", "registry": "r"}}, "build"),
    "defaults": ({**GOOD, "defaults": {"agent_queue": "q"}}, "defaults"),
    "unknown key": ({**GOOD, "imagee": "r"}, "imagee"),
    "key of a container": ({**GOOD, "container_context": {"ecs": {"envvars": ["A=1"]}}}, "envvars"),
    "unknown platform": ({**GOOD, "container_context": {"local": {"env_vars": []}}}, "local"),
    "no source": ({"location_name": "alpha", "image": "r"}, "code_source"),
    "two sources": ({**GOOD, "code_source": {"module_name": "m", "package_name": "p"}}, "code_source"),
    "unknown source": ({**GOOD, "code_source": {"script": "a.py"}}, "code_source"),
    "image of another type": ({**GOOD, "image": 3}, "image"),
    "queue of another type": ({**GOOD, "agent_queue": ["q"]}, "agent_queue"),
    "pex without tag": ({**GOOD, "pex_metadata": {"python_version": "3.11"}}, "pex_tag"),
}
ADD, DEPLOY, SYNC = (
    gql.ADD_OR_UPDATE_LOCATION_FROM_DOCUMENT_MUTATION,
    gql.DEPLOY_LOCATIONS_FROM_DOCUMENT_MUTATION,
    gql.RECONCILE_LOCATIONS_FROM_DOCUMENT_MUTATION,
)


@pytest.fixture
def ask(organization: Organization) -> Asking:
    asking = Asking(organization)
    judge = asking.runtime.documents()
    judge.validate_document.side_effect = location_document.validate_document
    return asking


@pytest.mark.parametrize(("document", "key"), WRONG.values(), ids=WRONG)
def test_a_wrong_document_is_refused_by_its_type_naming_the_key(
    ask: Asking, document: dict[str, Any], key: str
) -> None:
    for query, given in (
        (ADD, document),
        (sent_by_dg_api("code_location", "AddOrUpdateCodeLocation"), document),
        (DEPLOY, {"locations": [{**GOOD, "location_name": "fine"}, document]}),
        (SYNC, {"locations": [document]}),
        (SYNC, {"locations": {"alpha": {name: value for name, value in document.items() if name != "location_name"}}}),
    ):
        answer = ask(query, {"document": given})
        assert answer["__typename"] == "InvalidLocationError"
        assert key in "\n".join(answer["errors"]), "whoever wrote the document has to find the key"
    assert ask.organization.locations.all("prod") == (), "one wrong location keeps the others out too"


@pytest.mark.parametrize(
    "document",
    [None, [], "locations: []", 3, {}, {"locations": None}, {"locations": "alpha"}, {"locations": [None]}],
    ids=str,
)
def test_what_is_no_document_is_refused(ask: Asking, document: Any) -> None:
    for query in (DEPLOY, SYNC):
        answer = ask.whole(query, {"document": document})
        refused = answer.errors or next(iter(answer.data.values()))["__typename"] == "InvalidLocationError"
        assert refused, "a document without locations would delete all of them"
    assert ask.organization.locations.all("prod") == ()


@pytest.mark.parametrize("name", [None, "", 3, ["a"], {"a": 1}])
def test_a_location_without_a_name_is_refused(ask: Asking, name: Any) -> None:
    answer = ask(ADD, {"document": {**GOOD, "location_name": name}})
    assert answer["__typename"] == "InvalidLocationError"


@pytest.mark.parametrize("name", ["../../etc/passwd", "<script>alert(1)</script>", "a\nb", "a\0b", "ünï", "x" * 5_000])
def test_a_hostile_name_is_kept_as_a_name_and_nothing_else(ask: Asking, name: str) -> None:
    assert ask(ADD, {"document": {**GOOD, "location_name": name}})["locationName"] == name
    assert [location.name for location in ask.organization.locations.all("prod")] == [name]
    assert ask(gql.GET_LOCATIONS_AS_DOCUMENT_QUERY)["document"]["locations"][0]["location_name"] == name


def test_a_name_that_comes_twice_is_refused(ask: Asking) -> None:
    answer = ask(DEPLOY, {"document": {"locations": [GOOD, GOOD]}})
    assert "named twice" in "\n".join(answer["errors"])


def test_a_sync_of_no_locations_deletes_all(ask: Asking) -> None:
    ask(ADD, {"document": GOOD})
    assert ask(SYNC, {"document": {"locations": []}})["__typename"] == "ReconcileLocationsSuccess"
    assert ask.organization.locations.all("prod") == ()
