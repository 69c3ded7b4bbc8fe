"""The typed client. Each method is one question or one change; the words on the wire are in ``operations/``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hybrid.plus.administration import Administration
from hybrid.plus.agents import Agent
from hybrid.plus.asset_catalog import AssetCatalog
from hybrid.plus.automation import Automating
from hybrid.plus.credentials import is_agent_token
from hybrid.plus.errors import PlusAnswerLost, PlusNotFound, PlusRejected, PlusUnreachable
from hybrid.plus.inspection import Inspecting
from hybrid.plus.locations import CodeLocationStatus, documents, statuses
from hybrid.plus.patience import Wait
from hybrid.plus.rights import Rights, rights_of
from hybrid.plus.runs import IN_PROGRESS, LAUNCH_TAG, EventPage, Run, RunEvent, execution_params, repository_of
from hybrid.plus.tokens import AgentGrants, AgentToken, deployment_names
from hybrid.plus.verdict import Json, member

_PAGE: Final = 1000  # events; Dagster's own bound for one answer
_RUNS: Final = 100  # runs of one answer; Dagster's own pages have no more
_LAUNCH_SECONDS: Final = 60  # as long as Dagster+ may wait for an agent's word on the job, after we no longer do
_LAUNCH_POLL_SECONDS: Final = 2


class PlusClient(Administration, AssetCatalog, Inspecting, Automating):
    """Speaks to one deployment of one organization with one token. Use it in a ``with``.

    ``on_wait`` hears of every wait before it begins; ``cancel`` ends a wait (``PlusCancelled``). ``sleep``, ``now``
    and ``http`` (an httpx transport) are there so that tests need neither time nor network.

    Every method raises the errors of ``hybrid.plus.errors``; ``SettingsError`` if the token cannot be sent at all.
    """

    # Agents

    def agents(self) -> list[Agent]:
        """The organization's agents, dead ones of the recent past included."""
        return self._parsed("HybridAgents", lambda data: [Agent.of(agent) for agent in data["agents"]])

    def agent_tokens(self) -> list[AgentToken]:
        """All agent tokens with their grants, revoked ones included, without their values."""

        def parse(data: Json) -> list[AgentToken]:
            found = member("HybridAgentTokens", data["agentTokensOrError"], "DagsterCloudAgentTokens")
            names = deployment_names(data)
            return [AgentToken.listed(token, names) for token in found["tokens"]]

        return self._parsed("HybridAgentTokens", parse, scope="organization")

    def agent_token(self, token_id: int) -> AgentToken:
        """One agent token with its grants, also a revoked one. Raises ``PlusNotFound`` if there never was one."""
        return self._token_and_ids(token_id)[0]

    def create_agent_token(self, description: str) -> AgentToken:
        """A new agent token with its value: the only time that Dagster+ shows it. It is good for the whole
        organization until ``set_agent_grants`` narrows it. Never sent twice: an answer that got lost is an error."""
        return self._chosen(
            "HybridCreateAgentToken", "createAgentToken", "DagsterCloudAgentToken", AgentToken.created,
            {"description": description}, scope="organization",
        )  # fmt: skip

    def revoke_agent_token(self, token_id: int) -> bool:
        """Whether there was a token to revoke. Agents with it stop within their next call."""
        try:
            return self._chosen(
                "HybridRevokeAgentToken", "revokeAgentToken", "DagsterCloudAgentToken", lambda token: True,
                {"tokenId": token_id}, scope="organization",
            )  # fmt: skip
        except PlusNotFound:
            return False

    def set_agent_grants(self, token_id: int, grants: AgentGrants) -> AgentToken:
        """The token with exactly these grants, as Dagster+ says afterwards.

        What is missing is granted before what is too much is withdrawn, so that an agent at work keeps what it is to
        keep. Raises ``PlusNotFound`` for a deployment that is not there, ``PlusRejected`` if Dagster+ ends up with
        other grants; both leave a token whose grants the next call puts right.
        """
        token, ids = self._token_and_ids(token_id)
        present = (token.grants or AgentGrants()).scopes(ids)
        try:
            wanted = grants.scopes(ids)
        except KeyError as missing:
            raise PlusNotFound(
                f"There is no deployment '{missing.args[0]}' to grant to the agent's token.",
                why=f"Full deployments are: {', '.join(sorted(ids)) or 'none'}.",
                next_step="correct the agent's deployments in the stack file.",
            ) from None
        if wanted == present:
            return token
        for scope, deployment_id in sorted(wanted - present, key=str):
            self._permit("HybridGrantAgent", token_id, scope, deployment_id, grant="AGENT")
        for scope, deployment_id in sorted(present - wanted, key=str):
            self._permit("HybridWithdrawAgentGrant", token_id, scope, deployment_id)
        token, _ = self._token_and_ids(token_id)
        if token.grants != grants:
            raise PlusRejected(
                f"Agent token {token_id} has other grants than it was given: {token.grants}.",
                next_step="set them by hand (Dagster+ > Organization Settings > Tokens) or run the same command again.",
            )
        return token

    # Code locations

    def code_locations(self) -> list[CodeLocationStatus]:
        """The deployment's locations by name, with the error of each that failed to load."""

        def parse(data: Json) -> list[CodeLocationStatus]:
            member("HybridCodeLocations", data["workspaceOrError"], "Workspace")
            return statuses(data)

        return self._parsed("HybridCodeLocations", parse)

    def location_documents(self) -> dict[str, dict[str, Any]]:
        """What each location was told to run, by its name, as the document that tells it."""
        return self._parsed("HybridLocationDocuments", documents)

    def put_location(self, document: Mapping[str, Any]) -> str:
        """Adds or replaces the location whose name is the document's ``location_name``; answers that name. Agents
        reload the location even if the document is the same."""
        return self._chosen(
            "HybridPutLocation", "addOrUpdateLocationFromDocument", "WorkspaceEntry",
            lambda entry: str(entry["locationName"]), {"document": dict(document)},
        )  # fmt: skip

    def delete_location(self, name: str) -> bool:
        """Whether there was a location to delete."""
        try:
            return self._chosen(
                "HybridDeleteLocation", "deleteLocation", "DeleteLocationSuccess", lambda gone: True,
                {"locationName": name},
            )  # fmt: skip
        except (PlusRejected, PlusNotFound):
            # How Dagster+ words the deletion of what is not there is not public; whether it is there can be asked.
            if name in self.location_documents():
                raise
            return False

    def rights(self) -> Rights:
        """What the token may do and see; changes nothing."""
        return rights_of(self, is_agent_token=is_agent_token(self._token))

    # Runs

    def launch_run(
        self,
        location: str,
        job: str,
        *,
        repository: str | None = None,
        run_config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        assets: Sequence[str] = (),
    ) -> str:
        """Launches the job and answers the run's id. Without ``repository`` the location's one that has the job is
        looked up. ``assets`` narrow an asset job to these keys.

        Never sent twice. The run bears a tag of this launch alone (``hybrid/launch``), so that where the answer gets
        lost the run is found, or ``PlusAnswerLost`` says by which tag to look for it.
        """
        from uuid import uuid4  # not at the top: few commands launch anything

        repository = repository or self._repository(location, job)
        mark = str(uuid4())
        marked = {**(tags or {}), LAUNCH_TAG: mark}
        params = execution_params(location, repository, job, run_config or {}, marked, assets)
        try:
            return self._chosen(
                "HybridLaunchRun", "launchRun", "LaunchRunSuccess",
                lambda launched: str(launched["run"]["runId"]), {"executionParams": params},
            )  # fmt: skip
        except PlusAnswerLost as lost:
            return self._launched(mark, lost)

    def run(self, run_id: str) -> Run:
        """The run as it stands."""
        return self._chosen("HybridRun", "runOrError", "Run", Run.of, {"runId": run_id})

    def runs_in_progress(self) -> list[Run]:
        """The deployment's runs that have not ended, queued ones included, each with its location as far as Dagster+
        knows it; newest first."""
        found: list[Run] = []
        cursor: str | None = None
        while True:
            page = self._chosen(
                "HybridRunsInProgress", "runsOrError", "Runs",
                lambda runs: [Run.of(run) for run in runs["results"]],
                {"statuses": list(IN_PROGRESS), "cursor": cursor, "limit": _RUNS},
            )  # fmt: skip
            found += page
            if len(page) < _RUNS:
                return found
            cursor = page[-1].id

    def run_events(self, run_id: str, cursor: str | None = None) -> Iterator[RunEvent]:
        """What the run said after ``cursor``, oldest first, page by page until there is no more *now*. To follow a
        run, ask again with the last event's cursor."""
        more = True
        while more:
            page = self._chosen(
                "HybridRunEvents", "logsForRun", "EventConnection", EventPage.of,
                {"runId": run_id, "afterCursor": cursor, "limit": _PAGE},
            )  # fmt: skip
            yield from page.events
            more = page.has_more and page.cursor != cursor
            cursor = page.cursor

    def terminate_run(self, run_id: str, *, force: bool = False) -> None:
        """Asks the agent to end the run; ``force`` marks it as canceled whatever its processes do."""
        policy = "MARK_AS_CANCELED_IMMEDIATELY" if force else "SAFE_TERMINATE"
        self._chosen(
            "HybridTerminateRun", "terminateRun", "TerminateRunSuccess", lambda ended: None,
            {"runId": run_id, "terminatePolicy": policy},
        )  # fmt: skip

    def _launched(self, mark: str, lost: PlusAnswerLost) -> str:
        """The run of a launch whose answer got lost: Dagster+ may be at it still, where its agent is slow to answer."""
        if self._on_wait:
            reason = f"{lost.what} Its run may have begun, and is asked for."
            self._on_wait(Wait("HybridLaunchRun", _LAUNCH_POLL_SECONDS, reason, 1))
        for waited in range(0, _LAUNCH_SECONDS + 1, _LAUNCH_POLL_SECONDS):
            if waited:
                self._pause(_LAUNCH_POLL_SECONDS)
            try:
                found = self.runs_tagged(LAUNCH_TAG, mark, limit=1)
            except PlusUnreachable:
                break  # which waited for Dagster+ itself; what became of the launch stays unknown
            if found:
                return found[0].id
        raise PlusAnswerLost(
            f"{lost.what} No run of this launch was found since.",
            why=lost.why,
            next_step=f"it may still begin: look for runs tagged {LAUNCH_TAG}={mark} before you launch it again.",
            reason=lost.reason,
        )

    def _repository(self, location: str, job: str) -> str:
        return self._chosen(
            "HybridRepositories", "repositoriesOrError", "RepositoryConnection",
            lambda found: repository_of(found["nodes"], location, job),
        )  # fmt: skip

    def _token_and_ids(self, token_id: int) -> tuple[AgentToken, dict[str, int]]:
        def parse(data: Json) -> tuple[AgentToken, dict[str, int]]:
            found = member("HybridAgentToken", data["agentTokenOrError"], "DagsterCloudAgentToken")
            names = deployment_names(data)
            return AgentToken.listed(found, names), {name: number for number, name in names.items()}

        try:
            return self._parsed("HybridAgentToken", parse, {"tokenId": token_id}, scope="organization")
        except PlusRejected:
            # The schema has no type for a token that is not there; whether it is there can be asked.
            if any(token.id == token_id for token in self.agent_tokens()):
                raise
        raise PlusNotFound(
            f"There is no agent token {token_id}.",
            next_step="run `up` again: it makes another one.",
        )

    def _permit(self, operation: str, token_id: int, scope: str, deployment_id: int | None, **grant: str) -> None:
        field = "createOrUpdateAgentPermissions" if grant else "removeAgentPermissions"
        permission: Json = {"agentTokenId": token_id, "deploymentScope": scope, **grant}
        if deployment_id is not None:
            permission["deploymentId"] = deployment_id
        self._chosen(
            operation, field, "DagsterCloudAgentToken", lambda token: None,
            {"agentPermission": permission}, scope="organization",
        )  # fmt: skip
