"""Dagster+ asked about a deployment. Nothing is changed there, and no value of a variable is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from hybrid.plus import (
    Agent,
    BranchDeployment,
    CodeLocationStatus,
    Deployment,
    EnvironmentVariable,
    PlusClient,
    PlusForbidden,
    PlusNotFound,
    PlusProtocolError,
    PlusRejected,
    Rights,
    Run,
    Scopes,
)
from hybrid.plus.assets import RepositoryResources
from hybrid.plus.automation import Instigation
from hybrid.plus.inspection import ServerlessState
from hybrid.redaction import redact
from hybrid.switch.organization import (
    ISOLATION_TAG,
    FoundAgent,
    FoundBackfill,
    FoundBranch,
    FoundDeployment,
    FoundInstigator,
    FoundLocation,
    FoundPolicy,
    FoundRights,
    FoundRun,
    FoundServerless,
    FoundVariable,
    OrganizationState,
    masked,
)

_T = TypeVar("_T")

_DEFAULT_IO_MANAGER: Final = "io_manager"
"""The key of the resource by which what names no IO manager is stored."""


def read_organization(client: PlusClient) -> OrganizationState:
    """Asks one question after the other. A refused question is an answer (``unanswered``), but for the deployment and
    its locations, without which there is nothing to tell. Raises the errors of ``hybrid.plus``."""
    return _Asking(client).state()


@dataclass
class _Asking:
    client: PlusClient
    unanswered: dict[str, str] = field(default_factory=dict)

    def ask(self, question: str, call: Callable[[], _T]) -> _T | None:
        try:
            return call()
        except (PlusForbidden, PlusNotFound, PlusRejected, PlusProtocolError) as error:
            self.unanswered[question] = error.what if not error.why else f"{error.what} {error.why}"
            return None

    def state(self) -> OrganizationState:
        client = self.client
        deployment = client.current_deployment()
        documents = client.location_documents()
        statuses = {status.name: status for status in client.code_locations()}
        rights = client.rights()
        self.unanswered |= {key: text for key, text in rights.unanswered.items() if key != "deployment"}
        automations = self.ask("schedules_and_sensors", client.automations)
        counts = self.ask("assets", client.asset_counts)
        resources = self.ask("resources", client.repository_resources)
        variables = self.ask("variables", client.environment_variables)
        serverless = self.ask("serverless", client.serverless)
        runs = self.ask("runs", client.runs_in_progress)
        backfills = self.ask("backfills", client.backfills_at_work)
        tagged = self.ask("non_isolated_runs", lambda: client.runs_tagged(ISOLATION_TAG, "disabled"))
        branches = self.ask("branches", client.branch_deployments)
        agents = self.ask("agents", client.agents)
        policies = self.ask("alert_policies", client.alert_policies)
        return OrganizationState(
            organization=client.endpoint.organization,
            url=client.endpoint.url,
            deployment=_deployment(deployment),
            plan=rights.plan,
            deployments=None if rights.deployments is None else [_deployment(each) for each in rights.deployments],
            branches=None if branches is None else _branches(branches, deployment.name),
            agents=None if agents is None else [_agent(each) for each in agents],
            serverless=None if serverless is None else _serverless(serverless),
            locations=[
                _location(name, documents[name], statuses.get(name), counts or {}, resources or [])
                for name in sorted(documents)
            ],
            instigators=None if automations is None else [_instigator(each) for each in automations.instigations],
            automates_assets=None if automations is None else automations.automates_assets,
            variables=None if variables is None else [_variable(each) for each in variables],
            runs=None if runs is None else [_run(each) for each in runs],
            backfills=None if backfills is None else [FoundBackfill(b.id, b.of, b.partitions) for b in backfills],
            non_isolated_runs=None if serverless is None else serverless.non_isolated_runs,
            recent_non_isolated=None if tagged is None else [_run(each) for each in tagged],
            settings=None if rights.deployment_settings is None else masked(dict(rights.deployment_settings)),
            policies=None if policies is None else _policies(policies),
            rights=_rights(rights, sees_variables=variables is not None),
            unanswered={question: redact(text) for question, text in sorted(self.unanswered.items())},
        )


def _deployment(found: Deployment) -> FoundDeployment:
    return FoundDeployment(found.name, found.type, found.agent_type)


def _branches(found: list[BranchDeployment], parent: str) -> list[FoundBranch]:
    return [
        FoundBranch(each.deployment.name, each.branch, each.deployment.agent_type, each.pull_request_status)
        for each in sorted(found, key=lambda each: each.deployment.name)
        if each.parent in {None, parent}
    ]


def _agent(found: Agent) -> FoundAgent:
    return FoundAgent(found.label, found.status, found.type, found.metadata.get("version"), found.last_heartbeat)


def _serverless(found: ServerlessState) -> FoundServerless:
    error = found.error.message if found.error else None
    return FoundServerless(found.status, found.registry, found.allows_base_images, error)


def _location(
    name: str,
    document: Mapping[str, Any],
    status: CodeLocationStatus | None,
    counts: Mapping[str, int],
    resources: Sequence[RepositoryResources],
) -> FoundLocation:
    mine = [each for each in resources if each.location == name]
    error = status.error.message if status and status.error else None
    said = "FAILED" if error is not None else status.load_status if status else "LOADING"
    return FoundLocation(
        name=name,
        document=masked(dict(document)),
        status=said,
        error=error.splitlines()[0] if error else error,
        assets=counts.get(name),
        has_own_io_manager=all(_DEFAULT_IO_MANAGER in each.types for each in mine) if mine else None,
    )


def _instigator(found: Instigation) -> FoundInstigator:
    return FoundInstigator(
        location=found.location,
        repository=found.repository,
        name=found.name,
        kind=found.kind,
        is_on=found.is_on,
        on_by_default=found.on_by_default,
        was_set=found.was_set,
    )


def _variable(found: EnvironmentVariable) -> FoundVariable:
    return FoundVariable(found.name, _scopes(found.scopes), sorted(found.locations))


def _scopes(found: Scopes) -> list[str]:
    words = []
    if found.full_deployment:
        words.append("full deployments")
    if found.all_branch_deployments:
        words.append("all branch deployments")
    if found.branch_deployment:
        words.append(f"branch deployment {found.branch_deployment}")
    if found.local:
        words.append("local")
    return words


def _run(found: Run) -> FoundRun:
    is_isolated = found.tags.get(ISOLATION_TAG) != "disabled"
    return FoundRun(found.id, found.job, found.status, found.location, is_isolated)


def _policies(found: Mapping[str, Mapping[str, Any]]) -> list[FoundPolicy]:
    return [
        FoundPolicy(name, [str(each) for each in policy.get("event_types") or ()], bool(policy.get("enabled", True)))
        for name, policy in sorted(found.items())
    ]


def _rights(found: Rights, *, sees_variables: bool) -> FoundRights:
    return FoundRights(
        is_agent_token=found.is_agent_token,
        may_switch=found.can_list_agent_tokens if found.organization is not None else None,
        may_edit_locations=found.can_edit_locations,
        may_launch_runs=found.can_launch_runs,
        may_see_variables=sees_variables,
    )
