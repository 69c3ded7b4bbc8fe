"""The calls about an organization's deployments: settings, environment variables, alert policies, agent types."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

from hybrid.plus.deployments import Branch, BranchDeployment, Commit, Deployment, Organization
from hybrid.plus.environment_variables import EnvironmentVariable, Scopes, unspoken
from hybrid.plus.errors import PlusNotFound, PlusProtocolError, PlusRejected
from hybrid.plus.session import Session
from hybrid.plus.verdict import Json, member
from hybrid.redaction import Token

AgentType = Literal["HYBRID", "SERVERLESS"]
Document = dict[str, Any]

_BRANCHES: Final = 100  # the most recent ones; an answer has no next page


class Administration(Session):
    """See ``PlusClient``. What these calls rest on is the public schema; none was made on an organization."""

    # Organization and deployments

    def organization(self) -> Organization:
        """The organization that the token belongs to."""
        return self._parsed(
            "HybridOrganization", lambda data: Organization.of(data["organization"]), scope="organization"
        )

    def organization_settings(self) -> Document:
        """The organization's settings, as Dagster+ keeps them."""
        return self._parsed(
            "HybridOrganizationSettings",
            lambda data: dict((data["organizationSettings"] or {}).get("settings") or {}),
            scope="organization",
        )

    def plan(self) -> str:
        """Dagster+'s name for the organization's plan."""
        return self._parsed("HybridPlan", lambda data: str(data["planType"]), scope="organization")

    def deployments(self) -> list[Deployment]:
        """The full deployments that the token may see."""
        return self._parsed(
            "HybridDeployments",
            lambda data: [Deployment.of(deployment) for deployment in data["fullDeployments"]],
            scope="organization",
        )

    def branch_deployments(self, limit: int = _BRANCHES) -> list[BranchDeployment]:
        """The branch deployments that the token may see, ``limit`` at most."""
        return self._parsed(
            "HybridBranchDeployments",
            lambda data: [BranchDeployment.of(node) for node in data["branchDeployments"]["nodes"]],
            {"limit": limit},
            scope="organization",
        )

    def deployment_named(self, name: str) -> BranchDeployment | None:
        """The deployment of that name, whatever its type is, as it stands now; None: there is none."""
        try:
            return self._chosen(
                "HybridDeploymentByName", "deploymentByName", "DagsterCloudDeployment", BranchDeployment.of,
                {"name": name}, scope="organization",
            )  # fmt: skip
        except PlusNotFound:
            return None

    def put_branch_deployment(self, branch: Branch, commit: Commit) -> BranchDeployment:
        """The branch deployment of ``branch``, based on the endpoint's deployment, made or brought up to date;
        ``commit`` becomes its latest.

        Raises ``PlusRejected`` when what Dagster+ answers with is not that: nothing may be sent to it then.
        """
        base = self.endpoint.deployment
        made = self._chosen(
            "HybridPutBranchDeployment", "createOrUpdateBranchDeployment", "DagsterCloudDeployment",
            BranchDeployment.of, {"branch": branch.described(), "commit": commit.described(), "base": base},
        )  # fmt: skip
        if not made.is_of(branch.repository, branch.name, base):
            raise PlusRejected(
                f"Dagster+ answered with another deployment than that of the branch '{branch.name}'.",
                why=f"'{made.deployment.name}' is of type {made.deployment.type}, of the branch "
                f"{made.branch or 'none'} of {made.repository or 'no repository'}, based on "
                f"{made.parent or 'nothing'}; wanted is {branch.repository}, based on {base}.",
                next_step="delete that branch deployment in Dagster+ if it is an old one, and run the command again.",
            )
        return made

    def current_deployment(self) -> Deployment:
        """The endpoint's deployment."""
        return self._parsed("HybridCurrentDeployment", lambda data: Deployment.of(data["currentDeployment"]))

    def create_deployment(self, name: str, agent_type: AgentType = "HYBRID") -> Deployment:
        """A new full deployment. Never sent twice: an answer that got lost is an error."""
        return self._chosen(
            "HybridCreateDeployment", "createDeployment", "DagsterCloudDeployment", Deployment.of,
            {"name": name, "agentType": agent_type}, scope="organization",
        )  # fmt: skip

    def delete_deployment(self, deployment_id: int) -> bool:
        """Whether there was a deployment, full or of a branch, to delete; all that it holds goes with it."""
        try:
            return self._chosen(
                "HybridDeleteDeployment", "deleteDeployment", "DagsterCloudDeployment", lambda gone: True,
                {"deploymentId": deployment_id}, scope="organization",
            )  # fmt: skip
        except PlusNotFound:
            return False

    def set_agent_type(self, agent_type: AgentType) -> Deployment:
        """The endpoint's deployment after it was handed to Hybrid agents, or back to Serverless. Whoever ran its
        code until then stops doing so. Raises ``PlusRejected`` if it is as before afterwards."""
        deployment = self.current_deployment()
        changed = self._chosen(
            "HybridSetAgentType", "updateDeploymentAgentType", "DagsterCloudDeployment", Deployment.of,
            {"deploymentId": deployment.id, "agentType": agent_type},
        )  # fmt: skip
        if changed.agent_type != agent_type:
            raise PlusRejected(
                f"The deployment '{changed.name}' is still {changed.agent_type}, not {agent_type}.",
                next_step="look at its agents in Dagster+ and ask Dagster+ support if the plan allows the change.",
            )
        return changed

    def permissions(self) -> dict[str, bool]:
        """What the token may do in the endpoint's deployment, by Dagster's names of permissions."""
        return self._parsed(
            "HybridPermissions",
            lambda data: {entry["permission"]: bool(entry["value"]) for entry in data["permissions"]},
        )

    # Settings

    def deployment_settings(self) -> Document:
        """The endpoint's deployment's settings, as Dagster+ keeps them."""
        return self._parsed(
            "HybridDeploymentSettings", lambda data: dict((data["deploymentSettings"] or {}).get("settings") or {})
        )

    def update_deployment_settings(self, settings: Mapping[str, Any]) -> Document:
        """All settings of the deployment after the top-level keys of ``settings`` got these values.

        Whether Dagster+ merges below the top level is not public: give each key's whole value.
        """
        return self._chosen(
            "HybridUpdateDeploymentSettings", "updateDeploymentSettings", "DeploymentSettings",
            lambda kept: dict(kept["settings"] or {}), {"settings": {"settings": dict(settings)}},
        )  # fmt: skip

    # Environment variables

    def environment_variables(self, *, values: bool = False) -> list[EnvironmentVariable]:
        """The variables by name. Their values travel only when they are asked for."""
        operation = "HybridEnvironmentVariableValues" if values else "HybridEnvironmentVariables"

        def parse(found: Json) -> list[EnvironmentVariable]:
            listed = [EnvironmentVariable.of(entry) for entry in found["secrets"]]
            return sorted(listed, key=lambda variable: (variable.name, variable.id))

        return self._chosen(operation, "secretsOrError", "Secrets", parse)

    def create_environment_variable(
        self, name: str, value: Token, scopes: Scopes, locations: Collection[str] = ()
    ) -> EnvironmentVariable:
        """A new variable. Never sent twice: an answer that got lost is an error."""
        with unspoken(value):
            return self._chosen(
                "HybridCreateEnvironmentVariable", "createSecret", "CreateOrUpdateSecretSuccess", _changed,
                _described(name, value, scopes, locations),
            )  # fmt: skip

    def update_environment_variable(
        self, id: str, name: str, value: Token, scopes: Scopes, locations: Collection[str] = ()
    ) -> EnvironmentVariable:
        """The variable with exactly this name, value, scopes and locations."""
        with unspoken(value):
            return self._chosen(
                "HybridUpdateEnvironmentVariable", "updateSecret", "CreateOrUpdateSecretSuccess", _changed,
                {"id": id, **_described(name, value, scopes, locations)},
            )  # fmt: skip

    def delete_environment_variable(self, id: str) -> bool:
        """Whether there was a variable to delete. Code servers keep it until they are started anew."""
        try:
            return self._chosen(
                "HybridDeleteEnvironmentVariable", "deleteSecret", "DeleteSecretSuccess", lambda gone: True, {"id": id}
            )
        except PlusRejected:
            # The schema has no type for a variable that is not there; whether it is there can be asked.
            if any(variable.id == id for variable in self.environment_variables()):
                raise
            return False

    # Alert policies

    def alert_policies(self) -> dict[str, Document]:
        """The deployment's alert policies by name, as the documents that describe them."""

        def parse(data: Json) -> dict[str, Document]:
            document = (data["alertPoliciesAsDocument"] or {}).get("document") or {}
            return {entry["name"]: dict(entry) for entry in document.get("alert_policies") or ()}

        return self._parsed("HybridAlertPolicies", parse)

    def put_alert_policy(self, document: Mapping[str, Any]) -> str:
        """Adds or replaces the policy whose name is the document's ``name``; answers that name. Others stay."""
        return self._chosen(
            "HybridPutAlertPolicy", "createOrUpdateAlertPolicyFromDocument", "AlertPolicy",
            lambda policy: str(policy["name"]), {"document": dict(document)},
        )  # fmt: skip

    def delete_alert_policy(self, name: str) -> bool:
        """Whether there was a policy to delete."""
        try:
            return self._chosen(
                "HybridDeleteAlertPolicy", "deleteAlertPolicy", "DeleteAlertPolicySuccess", lambda gone: True,
                {"name": name},
            )  # fmt: skip
        except PlusRejected:
            # The schema has no type for a policy that is not there; whether it is there can be asked.
            if name in self.alert_policies():
                raise
            return False

    # Code locations

    def ping_location(self, name: str) -> None:
        """Returns when the agent answered for the location's code server. Raises ``PlusRejected`` with what it said
        when it did not."""

        def parse(data: Json) -> None:
            answered = member("HybridPingLocation", data["pingLocation"], "PingLocationSuccess")
            if answered["locationName"] != name:
                raise PlusProtocolError(f"Dagster+ pinged '{answered['locationName']}', not '{name}'.")

        self._parsed("HybridPingLocation", parse, {"location": name})


def _changed(answer: Json) -> EnvironmentVariable:
    return EnvironmentVariable.of(answer["secret"])


def _described(name: str, value: Token, scopes: Scopes, locations: Collection[str]) -> Json:
    return {
        "name": name,
        "value": value.reveal(),
        "scopes": scopes.described(),
        "locations": sorted(locations),
    }
