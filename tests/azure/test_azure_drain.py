"""``AzureDrain`` and the door of this project against the STAND-IN for Azure Resource Manager: what is waited for, what
is removed, what is left alone, and that it goes on where it was stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hybrid.azure.errors import AzureDenied, AzureError, AzureUnreachable
from hybrid.azure.ground import PROVIDERS, Wanted, allows, problems
from hybrid.azure.made import made_in
from hybrid.azure.session import Azure
from hybrid.errors import NotReadyError
from hybrid.provider import azure_drain
from hybrid.provider.agent_drain import RUNS_VARIABLE
from hybrid.provider.azure_drain import DEFINITION, AzureDrain
from hybrid.provider.resource import Call, CancelledError
from tests.azure.lab import AGENT, NAMES, OWNER, SUBSCRIPTION, AzureLab
from tests.standins.azure.answer import error
from tests.unit.provider.conftest import RecordingReport

pytestmark = pytest.mark.program

SLEEP = ["/bin/sleep", "600"]
SERVER = {
    "managed-by": "dagster-cloud-agent",
    "dagster-agent-id": "gone",
    "dagster-location": "shop",
    "dagster-location-hash": "0" * 40,
}
OTHER = f"{NAMES.group_id}/providers/Microsoft.App/managedEnvironments/somebody-elses"


class Doors:
    def __init__(self, door: Azure) -> None:
        self._door = door

    def to(self, _: Any) -> Azure:
        return self._door


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureLab]:
    monkeypatch.setattr(azure_drain, "_POLL", 0.02)
    monkeypatch.delenv(RUNS_VARIABLE, raising=False)
    with AzureLab(tmp_path) as lab:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(lab.azure.bundle))
        monkeypatch.setenv("NO_PROXY", "*")
        yield lab


@pytest.fixture
def report() -> RecordingReport:
    return RecordingReport()


@pytest.fixture
def call(report: RecordingReport) -> Call:
    return Call(report, threading.Event())


@pytest.fixture
def inputs() -> dict[str, Any]:
    return DEFINITION.complete(
        {
            "subscription": SUBSCRIPTION,
            "resourceGroup": NAMES.resource_group,
            "environmentId": NAMES.environment_id.upper(),  # Azure writes ids in letters of its own choice
            "agentApp": NAMES.agent_app,
            "timeoutSeconds": 20,
        }
    )


def put(lab: AzureLab, kind: str, name: str, tags: dict[str, str], command: list[str], environment: str = "") -> None:
    where = environment or NAMES.environment_id
    container = {"name": "c", "image": "x.azurecr.io/a", "command": command, "resources": {"cpu": 0.5, "memory": "1Gi"}}
    key = "managedEnvironmentId" if kind == "containerApps" else "environmentId"
    body = {
        "location": NAMES.location,
        "tags": tags,
        "properties": {key: where, "configuration": {}, "template": {"containers": [container]}},
    }
    path = f"{NAMES.group_id}/providers/Microsoft.App/{kind}/{name}"
    lab.as_owner("PUT", path, body)
    if kind == "jobs":
        lab.as_owner("POST", f"{path}/start")


def job(lab: AzureLab, name: str, command: list[str], environment: str = "") -> None:
    put(lab, "jobs", name, {"dagster-run-id": f"{name}-id", "dagster-job-name": "nightly"}, command, environment)


def drain(lab: AzureLab) -> AzureDrain:
    return AzureDrain(Doors(lab.door()))  # type: ignore[arg-type]


def left(lab: AzureLab) -> list[str]:
    return sorted(thing.name for kind in ("containerApps", "jobs") for thing in lab.arm.named(kind))


def test_making_and_reading_it_touches_nothing(lab, inputs, call) -> None:
    assert drain(lab).create(inputs, call).id == NAMES.environment_id.upper()
    assert drain(lab).read("id", inputs, {}, call).id == "id"
    assert lab.rights.decisions == [], "it is a rule for the end"


def test_what_the_agent_left_is_removed_and_nothing_else(lab, inputs, call, report) -> None:
    put(lab, "containerApps", "shop-1", SERVER, SLEEP)
    put(lab, "containerApps", "web-of-others", {"team": "web"}, SLEEP)
    put(lab, "containerApps", "shop-2", SERVER, SLEEP, environment=OTHER)
    job(lab, "run-done", ["/bin/true"])
    job(lab, "run-of-others", ["/bin/true"], environment=OTHER)
    drain(lab).delete("id", inputs, {}, call)
    assert left(lab) == ["run-of-others", "shop-2", "web-of-others"], (
        "what is in another environment, or bears no tag of the launcher, is somebody else's"
    )
    assert [text for kind, text in report.said if kind == "info"] == ["removed what the agent had left: 1 code server"]
    assert lab.arm.unknown == []


def test_while_the_agents_app_is_there_nothing_is_removed(lab, inputs, call) -> None:
    put(lab, "containerApps", NAMES.agent_app, {}, SLEEP)
    put(lab, "containerApps", "shop-1", SERVER, SLEEP)
    with pytest.raises(NotReadyError, match="still there"):
        drain(lab).delete("id", inputs, {}, call)
    assert left(lab) == [NAMES.agent_app, "shop-1"], "it would make it again"


def test_runs_in_progress_are_waited_for_and_named_when_the_time_is_over(lab, inputs, call) -> None:
    job(lab, "run-going", SLEEP)
    with pytest.raises(NotReadyError, match=r"1 run: nightly run-goin") as raised:
        drain(lab).delete("id", {**inputs, "timeoutSeconds": 0.2}, {}, call)
    assert RUNS_VARIABLE in str(raised.value), "it says how to stop them"
    assert left(lab) == ["run-going"]
    drain(lab).delete("id", {**inputs, "runs": "terminate"}, {}, call)
    assert left(lab) == [], "the same command goes on, and stops them when it is told to"


def test_a_run_that_is_to_be_left_is_stopped_with_a_warning_since_its_place_goes(lab, inputs, call, report) -> None:
    job(lab, "run-going", SLEEP)
    drain(lab).delete("id", {**inputs, "runs": "leave"}, {}, call)
    assert left(lab) == []
    assert any("environment goes away" in text for kind, text in report.said if kind == "warning")


def test_a_stop_of_the_update_ends_it_at_once(lab, inputs, call) -> None:
    put(lab, "containerApps", "shop-1", SERVER, SLEEP)
    call.cancelled.set()
    with pytest.raises(CancelledError):
        drain(lab).delete("id", inputs, {}, call)


def test_a_group_that_is_gone_has_nothing(lab, inputs, call, report) -> None:
    drain(lab).delete("id", {**inputs, "resourceGroup": "gone"}, {}, call)
    assert report.said == []
    lab.arm.unknown.clear()  # the stand-in has one group


def test_without_the_right_the_error_names_what_is_lacking(lab) -> None:
    with pytest.raises(AzureDenied, match="list the container apps") as refused:
        made_in(lab.door("nobody"), NAMES.resource_group, NAMES.environment_id, NAMES.agent_app)
    assert "Microsoft.App/containerApps/read" in (refused.value.why or ""), "Azure's own words"


def test_an_azure_that_does_not_answer_is_said_so(lab) -> None:
    door = Azure(SUBSCRIPTION, endpoint="https://127.76.0.9", credential=lab.door().credential)
    with pytest.raises(AzureUnreachable, match="could not be asked"):
        door.get("/x", "1", doing="look")


# what must hold before anything is made

WANTED = Wanted("hybrid-quick", True, "westeurope", "hybrid-quick", "hybrid-quick", "dagster-hybrid-stack")
HERE = f"/subscriptions/{SUBSCRIPTION}"


@pytest.fixture
def ready(lab: AzureLab) -> AzureLab:
    """A subscription in which nothing is in the way."""
    app = {"resourceType": "managedEnvironments", "locations": ["West Europe", "North Europe"]}
    providers = [{"namespace": name, "registrationState": "Registered", "resourceTypes": [app]} for name in PROVIDERS]
    lab.arm.others = {
        HERE: {"subscriptionId": SUBSCRIPTION},
        f"{HERE}/resourcegroups/hybrid-quick": error(404, "ResourceGroupNotFound", "no"),
        f"{HERE}/providers": {"value": providers},
        f"{HERE}/providers/microsoft.authorization/permissions": {"value": [{"actions": ["*"], "notActions": []}]},
        f"{HERE}/providers/microsoft.app/locations/westeurope/usages": {
            "value": [{"name": {"value": "ManagedEnvironmentCount"}, "currentValue": 1, "limit": 15}]
        },
        NAMES.environment_id.lower(): error(404, "ResourceNotFound", "no"),
    }
    return lab


def found(lab: AzureLab, wanted: Wanted = WANTED) -> str:
    told = problems(lab.door(), wanted)
    assert all(problem.next_step for problem in told), "each with what to do"
    return " ".join(problem.what for problem in told)


def test_where_nothing_is_in_the_way_nothing_is_said(ready) -> None:
    assert found(ready) == ""
    assert ready.arm.unknown == []


def test_contributor_is_told_before_that_it_may_not_give_roles(ready) -> None:
    excluded = ["Microsoft.Authorization/*/Write", "Microsoft.Authorization/*/Delete"]
    contributor = {"actions": ["*"], "notActions": excluded}
    ready.arm.others[f"{HERE}/providers/microsoft.authorization/permissions"] = {"value": [contributor]}
    assert "may not make roles or give them" in found(ready), "it would be found after a quarter of an hour"
    administrator = {"actions": ["Microsoft.Authorization/*"], "notActions": []}
    assert allows([contributor, administrator], "Microsoft.Authorization/roleAssignments/write"), (
        "what one role excludes another may give"
    )


def test_a_service_that_is_not_registered_is_named_with_the_command(ready) -> None:
    ready.arm.others[f"{HERE}/providers"]["value"][0]["registrationState"] = "NotRegistered"
    (problem,) = problems(ready.door(), WANTED)
    assert problem.next_step == "`az provider register --namespace Microsoft.App --wait`"


def test_a_region_without_container_apps_and_one_that_is_full_are_said(ready) -> None:
    elsewhere = Wanted("hybrid-quick", True, "southpole", "hybrid-quick", "hybrid-quick", "dagster-hybrid-stack")
    ready.arm.others[f"{HERE}/providers/microsoft.app/locations/southpole/usages"] = {"value": []}
    assert "not to be had in southpole" in found(ready, elsewhere)
    usages = ready.arm.others[f"{HERE}/providers/microsoft.app/locations/westeurope/usages"]
    usages["value"][0]["currentValue"] = 15
    assert "all of its 15" in found(ready)
    ready.arm.others[NAMES.environment_id.lower()] = {"id": NAMES.environment_id}
    assert found(ready) == "", "an environment that is there takes no more room"


def test_a_group_of_somebody_else_is_not_taken_and_ones_own_is(ready) -> None:
    group = f"{HERE}/resourcegroups/hybrid-quick"
    ready.arm.others[group] = {"tags": {"team": "web"}}
    assert "is there, and not of this stack" in found(ready)
    ready.arm.others[group] = {"tags": {"dagster-hybrid-stack": "hybrid-quick"}}
    assert found(ready) == ""


def test_a_group_that_is_named_and_absent_is_said(ready) -> None:
    adopted = Wanted("hybrid-quick", False, "westeurope", "hybrid-quick", "hybrid-quick", "dagster-hybrid-stack")
    permissions = f"{HERE}/resourcegroups/hybrid-quick/providers/microsoft.authorization/permissions"
    ready.arm.others[permissions] = error(404, "ResourceGroupNotFound", "no")
    assert found(ready, adopted) == "There is no resource group hybrid-quick."


def test_a_login_of_another_subscription_is_refused_with_the_command(ready) -> None:
    ready.arm.others[HERE] = error(404, "SubscriptionNotFound", "The subscription could not be found.")
    with pytest.raises(AzureError, match="does not reach the subscription") as refused:
        problems(ready.door(), WANTED)
    assert "az login" in str(refused.value)


def test_no_login_is_said_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.core.exceptions import ClientAuthenticationError

    class NoLogin:
        def get_token(self, *_: Any, **__: Any) -> Any:
            raise ClientAuthenticationError("DefaultAzureCredential failed.\n\tAzureCli: AADSTS700082: it expired.")

    with pytest.raises(AzureError, match="There is no login to Azure") as refused:
        problems(Azure(SUBSCRIPTION, credential=NoLogin()), WANTED)
    assert "az login" in str(refused.value)
    assert "AADSTS700082" in (refused.value.why or ""), "what the directory said, without where else nobody put one"
    assert "failed" not in (refused.value.why or "")


def test_the_agents_rights_do_not_reach_what_is_not_its_own(lab) -> None:
    """The stand-in decides as it says; what it shows is that the roles of the stack are narrow."""
    for action, on in (
        ("Microsoft.App/containerApps/write", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other/x"),
        ("Microsoft.App/managedEnvironments/join/action", OTHER),
        ("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", NAMES.identity_id("agent")),
        ("Microsoft.App/managedEnvironments/write", NAMES.environment_id),
    ):
        assert not lab.rights.allows(AGENT, action, on), f"{action} on {on}"
        assert lab.rights.allows(OWNER, action, on)
