"""An inspection saved, read again and compared: what its fingerprint is of, and that no secret gets into it."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import SettingsError
from hybrid.redaction import MASK
from hybrid.switch.finding import FACTS, FindingKind, Weight
from hybrid.switch.inspection import Inspection, inspected
from hybrid.switch.organization import FoundDeployment, FoundVariable, masked
from hybrid.switch.remedies import REMEDIES
from hybrid.switch.repository import Unread
from tests.unit.switch.inspected import DOCKER, PEX, folder, instigator, location, organization, repository, rights

pytestmark = pytest.mark.unit

NAMES = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=15,
)


def inspection(**changes: Any) -> Inspection:
    return inspected(organization(**changes), repository(), taken_at="2026-11-30T04:00:00+00:00")


def test_a_saved_inspection_is_read_as_the_one_that_was_saved() -> None:
    found = inspection()
    assert Inspection.parse(json.loads(json.dumps(found.document()))) == found
    assert found.age_base.tzinfo is not None, "its age can be told anywhere"


@pytest.mark.parametrize("sides", [(None, repository()), (organization(), None), (None, None)])
def test_either_side_may_be_missing(sides: Any) -> None:
    found = inspected(*sides)
    assert Inspection.parse(found.document()) == found
    assert (found.fingerprint is None) == (sides[0] is None)


@given(document=st.dictionaries(NAMES, JSON, max_size=5), setting=JSON, name=NAMES)
def test_whatever_dagster_plus_says_can_be_saved_and_read(document: Any, setting: Any, name: str) -> None:
    found = inspection(locations=[location(name, masked(document))], settings=masked({"x": setting}))
    again = Inspection.parse(json.loads(json.dumps(found.document())))
    assert again == found
    assert again.fingerprint == found.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"deployment": FoundDeployment("prod", "PRODUCTION", "HYBRID")},
        {"locations": [location("docker", DOCKER)]},
        {"locations": [location("docker", DOCKER | {"image": "other"}), location("quick", PEX)]},
        {"variables": [FoundVariable("STRIPE_KEY", ["full deployments"], [])]},
        {"variables": [FoundVariable("STRIPE_KEY", ["local"], []), FoundVariable("A", ["local"], ["quick"])]},
        {"instigators": [instigator("nightly", is_on=False)]},
        {"automates_assets": True},
        {"settings": {"run_queue": {"max_concurrent_runs": 11}, "non_isolated_runs": {"enabled": True}}},
        {"non_isolated_runs": False},
        {"organization": "other"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_a_plan_rests_on_changes_the_fingerprint(changes: dict[str, Any]) -> None:
    assert inspection(**changes).fingerprint != inspection().fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"deployments": [FoundDeployment("dev", "DEV", "SERVERLESS")]},
        {"runs": []},
        {"backfills": []},
        {"agents": []},
        {"branches": []},
        {"recent_non_isolated": []},
        {"locations": [location("docker", DOCKER, status="FAILED", error="x"), location("quick", PEX, assets=9)]},
        {"rights": rights(may_switch=False)},
        {"locations": [location("quick", PEX), location("docker", dict(reversed(DOCKER.items())))]},
        {"variables": list(reversed(organization().variables or []))},
        {"instigators": list(reversed(organization().instigators or []))},
    ],
)
def test_what_changes_by_itself_and_the_order_of_answers_do_not(changes: dict[str, Any]) -> None:
    assert inspection(**changes).fingerprint == inspection().fingerprint


def test_the_moment_is_no_part_of_the_fingerprint() -> None:
    assert inspected(organization(), None, taken_at="2020-01-01T00:00:00+00:00").fingerprint == inspection().fingerprint


def edited(change: Any) -> Any:
    document = json.loads(json.dumps(inspection().document()))
    change(document)
    return document


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "`schema`"),
        ({}, "`schema`"),
        (edited(lambda d: d.update(schema=99)), "99, not 1"),
        (edited(lambda d: d.update(taken_at="yesterday")), "no moment"),
        (edited(lambda d: d.update(findings=[{"kind": "nonsense"}])), "`findings"),
        (edited(lambda d: d["organization"].pop("url")), "`organization.url`"),
        (edited(lambda d: d["organization"]["deployment"].update(agent_type="HYBRID")), "edited"),
        (edited(lambda d: d.pop("fingerprint")), "edited"),
    ],
)
def test_what_is_no_inspection_or_was_edited_is_refused_with_words(document: Any, why: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Inspection.parse(document)
    assert why in str(refused.value)
    assert "switch inspect" in (refused.value.next_step or ""), "it says how to make another"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_a_file_that_is_none_is_refused_with_words(tmp_path: Any, content: bytes) -> None:
    file = tmp_path / "inspection.json"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="no saved inspection"):
        Inspection.read(file)
    with pytest.raises(SettingsError, match="cannot be read"):
        Inspection.read(tmp_path / "absent.json")


def test_a_secret_that_stands_where_nobody_expects_it_is_not_saved() -> None:
    token = f"agent:acme:{secrets.token_hex(16)}"
    found = inspected(
        organization(
            locations=[
                location(f"n-{token}", {"location_name": "n", "git": {"url": f"https://x:{token}@h"}}, error=token)
            ],
            instigators=[replace(instigator("x"), name=token)],
            unanswered={"runs": f"refused {token}"},
        ),
        repository(
            locations=[folder("a", image=f"host/{token}")],
            unread=[Unread(f"{token}.yaml", token)],
        ),
    )
    text = json.dumps(found.document())
    assert token not in text
    assert Inspection.parse(json.loads(text)).fingerprint == found.fingerprint, "masking comes before the fingerprint"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"env_vars": ["DB_PASSWORD=hunter2", "STAGE=prod", "API_TOKEN"]}, ["STAGE=prod", "API_TOKEN"]),
        ({"environment": [{"name": "DB_PASSWORD", "value": "hunter2"}]}, ["DB_PASSWORD"]),
        ({"secrets": [{"name": "DB_PASSWORD", "valueFrom": "arn:aws:x"}], "password": "hunter2"}, ["arn:aws:x"]),
        ({"deep": {"private_key": ["hunter2"]}}, []),
    ],
)
def test_documents_keep_names_and_lose_what_looks_secret(value: Any, kept: list[str]) -> None:
    text = json.dumps(masked(value))
    assert "hunter2" not in text
    assert MASK in text
    assert all(each in text for each in kept)


def test_the_weightiest_findings_come_first() -> None:
    order = [Weight.MUST, Weight.SHOULD, Weight.KNOW]
    places = [order.index(finding.weight) for finding in inspection().findings]
    assert places == sorted(places)
    assert set(places) == {0, 1, 2}


def test_every_kind_has_its_facts_and_its_remedy_and_no_finding_has_others() -> None:
    assert set(FACTS) == set(REMEDIES) == set(FindingKind)
    for finding in inspection().findings:
        assert set(finding.facts) <= set(FACTS[finding.kind]), f"{finding.kind}: facts that the contract does not have"
