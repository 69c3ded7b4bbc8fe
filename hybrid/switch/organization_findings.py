"""What follows from what Dagster+ tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hybrid.switch.finding import Finding, FindingKind, Weight, counted
from hybrid.switch.organization import FoundLocation, FoundRun, FoundVariable, OrganizationState
from hybrid.switch.repository import RepositoryState
from hybrid.switch.serverless_words import VARIABLE

_ABOUT_AGENTS: Final = frozenset({"AGENT_UNAVAILABLE", "CODE_LOCATION_ERROR"})


def findings_of_organization(
    organization: OrganizationState | None, repository: RepositoryState | None
) -> Iterator[Finding]:
    """None of them when it was not asked."""
    if organization is None:
        return
    yield from _agent_type(organization)
    yield from _rights(organization)
    for location in organization.locations:
        yield from _location(location, repository)
    yield from _non_isolated(organization)
    yield from _stored_values(organization)
    for variable in organization.variables or ():
        yield _variable(variable)
    yield from _instigators(organization)
    yield from _runs(organization)
    yield from _branches(organization)
    yield from _policies(organization)


def _agent_type(organization: OrganizationState) -> Iterator[Finding]:
    if organization.deployment.agent_type != "HYBRID":
        return
    yield Finding(
        FindingKind.AGENT_TYPE,
        Weight.KNOW,
        f"deployment {organization.deployment.name}",
        "It is run by Hybrid agents already.",
        "There is nothing to switch; what is told below would count for one that is on Serverless.",
        facts={"agent_type": organization.deployment.agent_type},
    )


def _rights(organization: OrganizationState) -> Iterator[Finding]:
    rights = organization.rights
    missing = [
        (rights.may_edit_locations, "locations", "add and change code locations", "Editor", Weight.MUST),
        (rights.may_see_variables or None, "variables", "see environment variables by name", "Editor", Weight.SHOULD),
        (rights.may_launch_runs, "runs", "launch and terminate runs", "Launcher", Weight.SHOULD),
        # should: without it somebody presses the button in Dagster+
        (rights.may_switch, "switch", "make agent tokens and change agent types", "Organization Admin", Weight.SHOULD),
    ]
    for may, right, words, role, weight in missing:
        if may:
            continue
        yield Finding(
            FindingKind.RIGHTS,
            weight if may is False or right == "variables" else Weight.KNOW,
            "the API token",
            f"It may not {words}." if may is False else f"Whether it may {words} is not known.",
            f"It takes a user token with the role {role}; with less, that part is somebody else's to do.",
            facts={"right": right},
        )


def _location(location: FoundLocation, repository: RepositoryState | None) -> Iterator[Finding]:
    if location.status == "FAILED":
        yield Finding(
            FindingKind.NOT_LOADED,
            Weight.MUST,
            f"code location {location.name}",
            "It does not load now, on Serverless.",
            "Mend it first: afterwards nobody can tell whether the switch broke it.",
            location.name,
            {"error": (location.error or "")[:300]},
        )
    if repository is not None and repository.location(location.name) is None:
        yield Finding(
            FindingKind.UNKNOWN_LOCATION,
            Weight.MUST,
            f"code location {location.name}",
            "No folder of the repository is this location.",
            "Its image has to be built from somewhere: look in other repositories, or correct its name here.",
            location.name,
            {"image": location.image} if location.image else {},
        )


def _non_isolated(organization: OrganizationState) -> Iterator[Finding]:
    recent = organization.recent_non_isolated or []
    if not organization.non_isolated_runs and not recent:
        return
    facts = {"setting": "true" if organization.non_isolated_runs else "false", "runs": str(len(recent))}
    names = _locations_of(recent)
    yield Finding(
        FindingKind.NON_ISOLATED_RUNS,
        Weight.SHOULD,
        f"deployment {organization.deployment.name}",
        f"Non-isolated runs: {'on' if organization.non_isolated_runs else 'off'} in the settings, "
        f"{'at least ' if len(recent) == 100 else ''}{counted(len(recent), 'such run')} of late.",
        "Hybrid has no switch for them in Dagster+'s page, and each run gets a process or task of its own, which takes "
        "longer to start. The tag, or another executor, takes their place.",
        facts=facts | ({"locations": ", ".join(names)} if names else {}),
    )


def _stored_values(organization: OrganizationState) -> Iterator[Finding]:
    concerned = [each for each in organization.locations if each.assets and not each.has_own_io_manager]
    unknown = [each.name for each in organization.locations if each.assets is None]
    if not concerned and not unknown:
        return
    count = sum(each.assets or 0 for each in concerned)
    names = [each.name for each in concerned]
    also = f" Of {', '.join(unknown)} it is not known." if unknown else ""
    yield Finding(
        FindingKind.STORED_VALUES,
        Weight.MUST if concerned else Weight.SHOULD,
        f"deployment {organization.deployment.name}",
        f"{counted(count, 'asset')} in {counted(len(names), 'location')} may be kept in Serverless's storage.{also}",
        "They cannot be read from there once Serverless is left: copy them before (`hybrid assets plan`). Dagster+ "
        "does not tell an asset's own IO manager, so some of these may lie elsewhere.",
        facts={"assets": str(count), "locations": ", ".join([*names, *unknown])},
    )


def _variable(variable: FoundVariable) -> Finding:
    facts = {"name": variable.name, "scopes": ", ".join(variable.scopes)}
    if variable.locations:
        facts["locations"] = ", ".join(variable.locations)
    only = f"For {', '.join(variable.locations)}; " if variable.locations else ""
    if VARIABLE.fullmatch(variable.name):
        return Finding(
            FindingKind.SECRET,
            Weight.SHOULD,
            f"secret {variable.name}",
            f"It has a name that Serverless itself sets. {only}{facts['scopes'] or 'no scope'}.",
            "On Hybrid it counts again, and points code at what is not there: remove it when the switch is made.",
            facts=facts,
        )
    return Finding(
        FindingKind.SECRET,
        Weight.KNOW,
        f"secret {variable.name}",
        f"{only}{facts['scopes'] or 'no scope'}.",
        "Hybrid agents get it from Dagster+ as Serverless does; it may move to a secret manager of your own.",
        variable.locations[0] if len(variable.locations) == 1 else None,
        facts,
    )


def _instigators(organization: OrganizationState) -> Iterator[Finding]:
    where = f"deployment {organization.deployment.name}"
    if organization.instigators is None:
        yield Finding(
            FindingKind.INSTIGATORS,
            Weight.SHOULD,
            where,
            "Which schedules and sensors are on is not known.",
            organization.unanswered.get("schedules_and_sensors", "Dagster+ did not say."),
        )
    on = organization.on()
    if not on and not organization.automates_assets:
        return
    schedules, sensors = (sum(each.kind == kind for each in on) for kind in ("schedule", "sensor"))
    also = " Assets are materialized by their conditions, too." if organization.automates_assets else ""
    yield Finding(
        FindingKind.INSTIGATORS,
        Weight.KNOW,
        where,
        f"{counted(schedules, 'schedule')} and {counted(sensors, 'sensor')} are on.{also}",
        "They are paused before the switch and turned on again after it; what would have started meanwhile is late.",
        facts={"schedules": str(schedules), "sensors": str(sensors)},
    )


def _runs(organization: OrganizationState) -> Iterator[Finding]:
    runs, backfills = organization.runs or [], organization.backfills or []
    if not runs and not backfills:
        return
    queued = sum(run.status == "QUEUED" for run in runs)
    also = f" {counted(len(backfills), 'backfill')} may launch more." if backfills else ""
    yield Finding(
        FindingKind.RUNS_IN_FLIGHT,
        Weight.SHOULD,
        f"deployment {organization.deployment.name}",
        f"{counted(len(runs), 'run')} not ended, {queued} of them queued.{also}",
        "Runs on Serverless end with its agent: let them end, or cancel them, before the agent type changes.",
        facts={"runs": str(len(runs)), "queued": str(queued), "backfills": str(len(backfills))},
    )


def _branches(organization: OrganizationState) -> Iterator[Finding]:
    branches = organization.branches or []
    if not branches:
        return
    open_ones = sum(each.pull_request in {"OPEN", None} for each in branches)
    yield Finding(
        FindingKind.BRANCH_DEPLOYMENTS,
        Weight.SHOULD if open_ones else Weight.KNOW,
        f"deployment {organization.deployment.name}",
        f"{counted(len(branches), 'branch deployment')}, {open_ones} of them not closed.",
        "The Hybrid agent serves them with `branchDeployments: true` in hybrid:agent; their locations have to be "
        "deployed again from images.",
        facts={"count": str(len(branches)), "open": str(open_ones)},
    )


def _policies(organization: OrganizationState) -> Iterator[Finding]:
    for policy in organization.policies or ():
        if policy.enabled and _ABOUT_AGENTS & set(policy.event_types):
            yield Finding(
                FindingKind.ALERT_POLICY,
                Weight.SHOULD,
                f"alert policy {policy.name}",
                "It may speak up during the switch.",
                "For a moment no agent serves the locations: tell whoever is called, or turn it off meanwhile.",
                facts={"name": policy.name, "event_types": ", ".join(policy.event_types)},
            )


def _locations_of(runs: list[FoundRun]) -> list[str]:
    return sorted({run.location for run in runs if run.location})
