"""What follows from what Dagster+ tells, one thing at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hybrid.switch.finding import Finding, FindingKind, Weight
from hybrid.switch.organization import FoundBackfill, FoundDeployment, FoundPolicy, FoundRun, FoundVariable
from hybrid.switch.organization_findings import findings_of_organization
from tests.unit.switch.inspected import DOCKER, PEX, instigator, location, organization, repository, rights

pytestmark = pytest.mark.unit

QUIET: dict[str, Any] = {
    "branches": [],
    "instigators": [],
    "locations": [],
    "non_isolated_runs": False,
    "policies": [],
    "recent_non_isolated": [],
    "runs": [],
    "backfills": [],
    "variables": [],
}


def found(kind: FindingKind | None = None, **changes: Any) -> list[Finding]:
    state = organization(**(QUIET | changes))
    return [each for each in findings_of_organization(state, repository()) if kind in {None, each.kind}]


def test_an_organization_with_nothing_in_it_needs_nothing() -> None:
    assert found() == []
    assert list(findings_of_organization(None, repository())) == [], "it was not asked"


def test_a_deployment_that_is_hybrid_already_is_said_to_be() -> None:
    (one,) = found(deployment=FoundDeployment("prod", "PRODUCTION", "HYBRID"))
    assert (one.kind, one.weight) == (FindingKind.AGENT_TYPE, Weight.KNOW)


@pytest.mark.parametrize(
    ("missing", "right", "weight"),
    [
        ({"may_edit_locations": False}, "locations", Weight.MUST),
        ({"may_edit_locations": None}, "locations", Weight.KNOW),
        ({"may_launch_runs": False}, "runs", Weight.SHOULD),
        ({"may_switch": False}, "switch", Weight.SHOULD),
        ({"may_see_variables": False}, "variables", Weight.SHOULD),
    ],
)
def test_a_right_that_is_missing_is_named_with_the_role_that_has_it(missing: Any, right: str, weight: Weight) -> None:
    (one,) = found(rights=rights(**missing))
    assert (one.kind, one.weight, one.facts) == (FindingKind.RIGHTS, weight, {"right": right})
    assert "role" in one.why


def test_a_location_that_does_not_load_has_to_be_mended_first() -> None:
    failing = location("quick", PEX, status="FAILED", error="ImportError: x", has_own_io_manager=True)
    (one,) = found(FindingKind.NOT_LOADED, locations=[failing])
    assert (one.weight, one.location, one.facts) == (Weight.MUST, "quick", {"error": "ImportError: x"})


def test_a_location_that_no_folder_is_has_to_be_found() -> None:
    locations = [location("elsewhere", {"image": "x/y:1"}), location("docker", DOCKER)]
    (one,) = found(FindingKind.UNKNOWN_LOCATION, locations=locations)
    assert (one.location, one.facts) == ("elsewhere", {"image": "x/y:1"})
    alone = findings_of_organization(organization(**(QUIET | {"locations": locations})), None)
    assert FindingKind.UNKNOWN_LOCATION not in {each.kind for each in alone}, "no repository was looked at"


@pytest.mark.parametrize(("setting", "runs"), [(True, 0), (False, 2), (True, 1)])
def test_non_isolated_runs_are_told_by_the_setting_and_by_what_ran(setting: bool, runs: int) -> None:
    recent = [FoundRun(f"r{number}", "j", "SUCCESS", "quick", is_isolated=False) for number in range(runs)]
    (one,) = found(non_isolated_runs=setting, recent_non_isolated=recent)
    assert one.kind is FindingKind.NON_ISOLATED_RUNS
    assert (one.facts["setting"], one.facts["runs"]) == ("true" if setting else "false", str(runs))
    assert one.facts.get("locations") == ("quick" if runs else None)


def test_stored_values_are_of_locations_without_an_io_manager_of_their_own() -> None:
    (one,) = found(
        FindingKind.STORED_VALUES,
        locations=[
            location("docker", DOCKER, assets=3),
            location("quick", PEX, assets=4, has_own_io_manager=True),
            location("empty", PEX, assets=0),
        ],
    )
    assert (one.weight, one.facts) == (Weight.MUST, {"assets": "3", "locations": "docker"})


def test_stored_values_of_a_location_that_is_not_loaded_are_not_denied() -> None:
    (one,) = found(FindingKind.STORED_VALUES, locations=[location("quick", PEX, assets=None, has_own_io_manager=None)])
    assert one.weight is Weight.SHOULD
    assert "not known" in one.what


def test_variables_are_told_by_name_scope_and_location_and_stay() -> None:
    (one,) = found(variables=[FoundVariable("KEY", ["full deployments", "local"], ["quick"])])
    assert (one.kind, one.weight, one.location) == (FindingKind.SECRET, Weight.KNOW, "quick")
    assert one.facts == {"name": "KEY", "scopes": "full deployments, local", "locations": "quick"}


def test_a_variable_that_overrides_one_of_serverless_is_to_be_decided() -> None:
    (one,) = found(variables=[FoundVariable("DAGSTER_DEFAULT_IO_MANAGER_MODULE", ["full deployments"], [])])
    assert one.weight is Weight.SHOULD


def test_what_starts_runs_by_itself_is_counted_and_ignorance_is_said() -> None:
    (one,) = found(instigators=[instigator("a"), instigator("b", kind="sensor"), instigator("c", is_on=False)])
    assert one.facts == {"schedules": "1", "sensors": "1"}
    (other,) = found(instigators=None, unanswered={"schedules_and_sensors": "refused"})
    assert (other.weight, other.why) == (Weight.SHOULD, "refused")
    (daemon,) = found(automates_assets=True)
    assert "conditions" in daemon.what, "no sensor is on, and assets are materialized all the same"


def test_runs_and_backfills_in_flight_are_to_be_drained() -> None:
    runs = [FoundRun("a", "j", "QUEUED", None, is_isolated=True), FoundRun("b", "j", "STARTED", None, is_isolated=True)]
    (one,) = found(runs=runs)
    assert one.facts == {"runs": "2", "queued": "1", "backfills": "0"}
    (other,) = found(backfills=[FoundBackfill("b", "raw", None)])
    assert other.facts["backfills"] == "1"


def test_only_open_branch_deployments_are_to_be_decided() -> None:
    (branch,) = organization().branches or []
    (one,) = found(branches=[branch])
    assert (one.weight, one.facts) == (Weight.SHOULD, {"count": "1", "open": "1"})
    (other,) = found(branches=[replace(branch, pull_request="MERGED")])
    assert other.weight is Weight.KNOW


def test_policies_about_agents_may_speak_up_and_others_and_those_that_are_off_do_not() -> None:
    away, other = ["AGENT_UNAVAILABLE"], ["JOB_FAILURE"]
    policies = [FoundPolicy("a", away, True), FoundPolicy("b", other, True), FoundPolicy("c", away, False)]
    assert [each.facts["name"] for each in found(policies=policies)] == ["a"]


def test_queues_are_of_dagster_plus_pro_and_ignorance_is_no_answer() -> None:
    said = {plan: organization(plan=plan).has_queues for plan in ("ENTERPRISE", "SOLO", "TEAM_V2", "UNKNOWN", None)}
    assert said == {"ENTERPRISE": True, "SOLO": False, "TEAM_V2": False, "UNKNOWN": None, None: None}
