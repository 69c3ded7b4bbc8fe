"""Issues of a deployment.

Rests on: ``client`` (dagster_rest_resources/queries/issue.graphql); ``invented``: launchers and above write issues,
the cursor is the id of the last issue of a page, a linked run must be there when it is linked and is left out when it
is gone later, and an asset is its key alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public import users
from hybrid.emulator.api.public.errors import Typed, plain_error
from hybrid.emulator.api.rights import lacking
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Deployment, Organization
from hybrid.emulator.organization.issues import Issue, IssueError, Link, changed, linked, unlinked

_RUN: Final = """query LinkedRun($runId: ID!) {
  runOrError(runId: $runId) { ... on Run { id status jobName startTime endTime } }
}"""


class _Issues:
    """Resolvers over the issues of one organization."""

    def __init__(self, organization: Organization, runtime: RuntimeLoader) -> None:
        self._organization = organization
        self._issues = organization.issues
        self._runtime = runtime

    def one(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        deployment = context_of(info)["deployment"]
        issue = self._issues.get(deployment, arguments["issueId"])
        return self._described(issue, deployment) if issue else plain_error(_absent(arguments["issueId"]))

    def listed(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        filters, cursor = arguments.get("filters") or {}, arguments.get("cursor")
        if cursor is not None and not cursor.isascii():
            return plain_error("The cursor is not one of this list.")
        try:
            before = int(cursor) if cursor else None
        except ValueError:
            return plain_error("The cursor is not one of this list.")
        author = filters.get("createdBy")
        user = self._organization.users.named(author) if author else None
        deployment = context_of(info)["deployment"]
        found, more = self._issues.page(
            deployment,
            arguments["limit"],
            before,
            statuses=filters.get("statuses"),
            created_by=(user.id if user else -1) if author else None,
            created_after=filters.get("createdAfter"),
            created_before=filters.get("createdBefore"),
        )
        return {
            "__typename": "IssueConnection",
            "issues": [self._described(issue, deployment) for issue in found],
            "cursor": str(found[-1].id) if found else None,
            "hasMore": more,
        }

    def create(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        def write(deployment: Deployment) -> Issue:
            origin = arguments.get("origin")
            link = self._link(origin, deployment) if origin else None
            by = context_of(info)["caller"].user_id
            return self._issues.create(
                deployment, arguments["title"], arguments["description"], arguments.get("status"), link, by
            )

        return self._written(info, "CreateIssueSuccess", write)

    def update(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        return self._changed(info, arguments["issueId"], lambda issue, _deployment: changed(issue, arguments))

    def link(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        return self._changed(
            info,
            arguments["issueId"],
            lambda issue, deployment: linked(issue, self._link(arguments["linkedObject"], deployment)),
        )

    def unlink(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        return self._changed(
            info, arguments["issueId"], lambda issue, _deployment: unlinked(issue, _given(arguments["linkedObject"]))
        )

    def _changed(self, info: Any, number: str, change: Callable[[Issue, Deployment], Issue]) -> Typed:
        return self._written(
            info,
            "UpdateIssueSuccess",
            lambda deployment: self._issues.change(deployment, number, lambda issue: change(issue, deployment)),
        )

    def _written(self, info: Any, success: str, write: Callable[[Deployment], Issue]) -> Typed:
        fault = lacking(info, "LAUNCHER")
        if fault:
            return fault
        deployment = context_of(info)["deployment"]
        try:
            issue = write(deployment)
        except IssueError as error:
            return plain_error(error.sentence())
        return {"__typename": success, "issue": self._described(issue, deployment)}

    def _link(self, given: Typed, deployment: Deployment) -> Link:
        link = _given(given)
        if link.run_id is not None and self._run(link.run_id, deployment) is None:
            raise IssueError(f"The deployment '{deployment.name}' has no run '{link.run_id[:80]}'.")
        return link

    def _described(self, issue: Issue, deployment: Deployment) -> Typed:
        user = self._organization.users.get(issue.created_by)
        objects = [self._linked(link, deployment) for link in issue.links]
        return {
            "__typename": "Issue",
            "publicId": str(issue.id),
            "title": issue.title,
            "description": issue.description,
            "status": issue.status,
            "context": issue.context,
            "linkedObjects": [one for one in objects if one is not None],
            "createdBy": {"__typename": "DagsterCloudUser", **users.described(user)} if user else None,
        }

    def _linked(self, link: Link, deployment: Deployment) -> Typed | None:
        if link.run_id is not None:
            return self._run(link.run_id, deployment)
        return {"__typename": "Asset", "key": {"path": list(link.asset_key or ())}}

    def _run(self, run_id: str, deployment: Deployment) -> Typed | None:
        answer = self._runtime.get().execute_oss(deployment.name, _RUN, {"runId": run_id}, None)
        found = (answer.get("data") or {}).get("runOrError") or {}
        return {"__typename": "Run", **found} if found.get("id") else None


def resolvers(organization: Organization, runtime: RuntimeLoader) -> Resolvers:
    issues = _Issues(organization, runtime)
    return {
        "Query": {"issue": issues.one, "issues": issues.listed},
        "Mutation": {
            "createIssue": issues.create,
            "updateIssue": issues.update,
            "addLinkToIssue": issues.link,
            "removeLinkFromIssue": issues.unlink,
        },
        "DagsterCloudUser": {"displayName": lambda user, _info: user.get("name") or user["email"]},
    }


def _given(linked_object: Typed) -> Link:
    """Raises ``IssueError`` unless exactly one of both is given."""
    run_id, asset = linked_object.get("runId"), linked_object.get("assetKey")
    path = tuple((asset or {}).get("path") or ())
    if bool(run_id) == bool(path):
        raise IssueError("A link names either a run or an asset.")
    return Link(run_id) if run_id else Link(asset_key=path)


def _absent(number: str) -> str:
    return f"There is no issue '{number[:80]}'."
