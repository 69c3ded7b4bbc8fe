"""Deployments made, changed and deleted; branch deployments.

Rests on: ``schema``; ``docs`` for administrators of the organization making and deleting full deployments and for
editors making branch deployments; ``client`` for tokens of agents doing the latter in CI, for the name of a branch
deployment being asked for by repository and branch alone, and for who may delete one (dagster_cloud_cli/gql.py);
``invented``: the name itself (organization/deployments.py), that ``snapshotBaseCondition`` is taken and nothing is
compared with the base, and that a deployment made with the permissions of another gets a copy of them.
"""

from __future__ import annotations

from typing import Any, Final

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public.deployments import described
from hybrid.emulator.api.public.errors import Typed, plain_error
from hybrid.emulator.api.rights import lacking, shortage
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import Deployment, DeploymentError, DuplicateDeploymentError, Organization
from hybrid.emulator.organization.deployments import branch_name

_GIT_KEYS: Final = (
    *("repoName", "branchName", "branchUrl"),
    *("pullRequestUrl", "pullRequestStatus", "pullRequestNumber"),
)
_LONGEST_NAME: Final = 1_000


class _Branches:
    """Resolvers that make, change, delete and relate the deployments of one organization."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._deployments = organization.deployments

    def create(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        fault = lacking(info, "ADMIN", organization=True)
        if fault:
            return fault
        heir_of = arguments.get("inheritPermsDeploymentId")
        if heir_of is not None and self._deployments.numbered(heir_of) is None:
            return _absent(heir_of)
        try:
            made = self._deployments.create(
                arguments["deploymentName"], arguments.get("deploymentAgentType") or "HYBRID"
            )
        except DuplicateDeploymentError as error:
            return {"__typename": "DuplicateDeploymentError", "message": error.sentence()}
        except DeploymentError as error:
            return plain_error(error.sentence())
        if heir_of is not None:
            self._inherit(heir_of, made)
        return described(self._organization, made)

    def put_branch(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        fault = lacking(info, "EDITOR", branches=True, agents=True)
        if fault:
            return fault
        git = {key: arguments["branchData"].get(key) for key in _GIT_KEYS}
        wrong = [key for key in ("repoName", "branchName") if not 0 < len(git[key]) <= _LONGEST_NAME]
        if wrong:
            return plain_error(f"{' and '.join(wrong)} must be given, with at most {_LONGEST_NAME} letters.")
        base = arguments.get("baseDeploymentName")
        parent = self._deployments.named(base) if base else self._full(info)
        if parent is None or parent.is_branch:
            return {"__typename": "DeploymentNotFoundError", "message": f"There is no full deployment '{base}'."}
        return described(self._organization, self._deployments.put_branch(parent, git, arguments["commit"]))

    def name(self, _parent: Any, info: Any, **arguments: Any) -> str:
        return branch_name(self._full(info), arguments["repoName"], arguments["branchName"])

    def listed(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        """Those that the caller may see, the latest first."""
        status = arguments.get("pullRequestStatus")
        found = [
            one
            for one in reversed(self._deployments.branches())
            if (status is None or (one.git or {}).get("pullRequestStatus") == status)
            and context_of(info)["caller"].serves(one)
        ]
        return {"nodes": [described(self._organization, one) for one in found[: max(0, arguments["limit"])]]}

    def delete(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        number = arguments["deploymentId"]
        deployment = self._deployments.numbered(number)
        if deployment is None:
            return _absent(number)
        fault = (
            lacking(info, "EDITOR", deployment, agents=True)
            if deployment.is_branch
            else lacking(info, "ADMIN", organization=True)
        )
        if fault:
            return fault
        before = described(self._organization, deployment)
        try:
            self._deployments.delete(number)
        except KeyError:
            return _absent(number)
        except DeploymentError as error:
            return {"__typename": "DeleteFinalDeploymentError", "message": error.sentence()}
        # Of what is gone, what leads to other objects cannot be looked up any more; it has its last state.
        return {**before, "deploymentStatus": "PENDING_DELETION", "gone": deployment}

    def set_agent_type(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        number, agent_type = arguments.get("deploymentId"), arguments.get("deploymentAgentType")
        deployment = context_of(info)["deployment"] if number is None else self._deployments.numbered(number)
        if deployment is None:
            return _absent(number)
        fault = lacking(info, "ADMIN", organization=True)
        if fault:
            return fault
        if agent_type is None:
            return plain_error("deploymentAgentType must be given: HYBRID or SERVERLESS.")
        if deployment.is_branch:
            return plain_error(f"'{deployment.name}' is a branch deployment; it has the agents of its full deployment.")
        return described(self._organization, self._deployments.set_agent_type(deployment.id, agent_type))

    def of(self, parent: Typed) -> Deployment:
        """The deployment of a ``DagsterCloudDeployment``."""
        found: Deployment | None = parent.get("gone") or self._deployments.numbered(parent["deploymentId"])
        if found is None:
            raise LookupError(f"deployment {parent['deploymentId']} was deleted meanwhile")
        return found

    def parent_of(self, parent: Typed, _info: Any) -> Typed | None:
        full = self._deployments.parent(self.of(parent))
        return described(self._organization, full) if full else None

    def _full(self, info: Any) -> Deployment:
        deployment = context_of(info)["deployment"]
        return self._deployments.parent(deployment) or deployment

    def _inherit(self, heir_of: int, made: Deployment) -> None:
        for user in self._organization.users.all():
            for grant in user.grants:
                if grant.scope == "DEPLOYMENT" and grant.deployment_id == heir_of and grant.role != "AGENT":
                    self._organization.users.grant(user.email, grant.role, "DEPLOYMENT", made.id)


def resolvers(organization: Organization) -> Resolvers:
    branches = _Branches(organization)

    def may(info: Any, parent: Typed, *, delete: bool = False) -> bool:
        deployment = branches.of(parent)
        if delete and not deployment.is_branch:
            return shortage(context_of(info), "ADMIN", organization=True) is None
        return shortage(context_of(info), "EDITOR", deployment, agents=delete) is None

    def administers(_parent: Typed, info: Any) -> bool:
        return shortage(context_of(info), "ADMIN", organization=True) is None

    return {
        "Query": {"branchDeployments": branches.listed, "getBranchDeploymentName": branches.name},
        "Mutation": {
            "createDeployment": branches.create,
            "createOrUpdateBranchDeployment": branches.put_branch,
            "deleteDeployment": branches.delete,
            "updateDeploymentAgentType": branches.set_agent_type,
        },
        "DagsterCloudDeployment": {
            "branchDeploymentGitMetadata": lambda parent, _info: branches.of(parent).git,
            "latestCommit": lambda parent, _info: next(iter(branches.of(parent).commits), None),
            "commits": lambda parent, _info: list(branches.of(parent).commits),
            "parentDeployment": branches.parent_of,
            "canHaveBranchDeployments": lambda parent, _info: not branches.of(parent).is_branch,
            "canEditDeploymentSettings": lambda parent, info: may(info, parent) and not branches.of(parent).is_branch,
            "canEditDeploymentPermissions": administers,
            "canDeleteDeployment": lambda parent, info: may(info, parent, delete=True),
        },
    }


def _absent(number: int | None) -> Typed:
    return {"__typename": "DeploymentNotFoundError", "message": f"There is no deployment {number}."}
