"""Issues as ``dg api issue`` writes and reads them. That Dagster+ itself answers the same is not proven here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hybrid.emulator.organization import Organization
from tests.unit.emulator.asking import Asking, sent_by_dg_api

pytestmark = pytest.mark.unit

RUN = {"id": "r-1", "status": "FAILURE", "jobName": "nightly", "startTime": 1.0, "endTime": 2.0}
ASSET = {"assetKey": {"path": ["s3", "report"]}}


def sent(name: str) -> str:
    return sent_by_dg_api("issue", name)


@pytest.fixture
def ask(organization: Organization) -> Asking:
    asking = Asking(organization)

    def execute(_deployment: str, _query: str, variables: Any, _name: str | None) -> Any:
        return {"data": {"runOrError": RUN if variables["runId"] == "r-1" else {}}}

    asking.runtime.get().execute_oss.side_effect = execute
    return asking


def create(ask: Asking, title: str = "late", caller: Any = None, **arguments: Any) -> Any:
    variables = {"title": title, "description": "since Monday", **arguments}
    return ask(sent("CreateIssue"), variables, caller=caller)


def test_an_issue_of_a_run_is_made_and_read_back(ask: Asking) -> None:
    made = create(ask, origin={"runId": "r-1"})["issue"]
    assert made == {
        "publicId": made["publicId"],
        "title": "late",
        "description": "since Monday",
        "status": "OPEN",
        "context": None,
        "linkedObjects": [{"__typename": "Run", **RUN}],
        "createdBy": {
            "__typename": "DagsterCloudUser",
            "displayName": "Administrator",
            "email": "administrator@local",
        },
    }
    assert ask(sent("GetIssue"), {"issueId": made["publicId"]}) == {"__typename": "Issue", **made}
    assert ask(sent("GetIssue"), {"issueId": "99"})["__typename"] == "PythonError"


def test_an_issue_is_changed_where_something_was_given(ask: Asking) -> None:
    number = create(ask)["issue"]["publicId"]
    closed = ask(sent("UpdateIssue"), {"issueId": number, "status": "CLOSED", "context": "fixed"})["issue"]
    assert (closed["status"], closed["context"], closed["title"]) == ("CLOSED", "fixed", "late")
    assert ask(sent("UpdateIssue"), {"issueId": "99", "status": "CLOSED"})["__typename"] == "PythonError"
    assert ask(sent("UpdateIssue"), {"issueId": number, "title": "x" * 501})["__typename"] == "PythonError"


def test_links_are_added_once_and_removed(ask: Asking) -> None:
    number = create(ask)["issue"]["publicId"]
    for _ in range(2):
        added = ask(sent("AddLinkToIssue"), {"issueId": number, "linkedObject": ASSET})["issue"]
    assert added["linkedObjects"] == [{"__typename": "Asset", "key": {"path": ["s3", "report"]}}]
    removed = ask(sent("RemoveLinkFromIssue"), {"issueId": number, "linkedObject": ASSET})["issue"]
    assert removed["linkedObjects"] == []
    for wrong in ({}, {"runId": "r-1", **ASSET}, {"runId": "no-such-run"}):
        refused = ask(sent("AddLinkToIssue"), {"issueId": number, "linkedObject": wrong})
        assert refused["__typename"] == "PythonError", wrong


def test_issues_are_listed_in_pages_and_by_their_state(ask: Asking) -> None:
    numbers = [create(ask, f"issue {index}")["issue"]["publicId"] for index in range(5)]
    ask(sent("UpdateIssue"), {"issueId": numbers[0], "status": "CLOSED"})
    seen: list[str] = []
    cursor, more = None, True
    while more:
        page = ask(sent("ListIssues"), {"limit": 2, "cursor": cursor})
        seen += [issue["publicId"] for issue in page["issues"]]
        cursor, more = page["cursor"], page["hasMore"]
    assert seen == numbers[::-1], "every issue once, the latest first"
    closed = ask(sent("ListIssues"), {"limit": 9, "filters": {"statuses": ["CLOSED"]}})
    assert [issue["publicId"] for issue in closed["issues"]] == numbers[:1]
    by = {"createdBy": "administrator@local", "createdAfter": 0.0}
    assert len(ask(sent("ListIssues"), {"limit": 9, "filters": by})["issues"]) == 5
    assert ask(sent("ListIssues"), {"limit": 9, "filters": {"createdBy": "nobody@example.com"}})["issues"] == []
    assert ask(sent("ListIssues"), {"limit": 9, "cursor": "x"})["__typename"] == "PythonError"


def test_a_viewer_reads_issues_and_writes_none(ask: Asking) -> None:
    number = create(ask)["issue"]["publicId"]
    viewer = ask.user("VIEWER")
    assert ask(sent("GetIssue"), {"issueId": number}, caller=viewer)["__typename"] == "Issue"
    assert create(ask, caller=viewer)["__typename"] == "UnauthorizedError"
    refused = ask(sent("UpdateIssue"), {"issueId": number, "status": "CLOSED"}, caller=viewer)
    assert refused["__typename"] == "UnauthorizedError"


def test_issues_belong_to_a_deployment_and_go_with_it(tmp_path: Path) -> None:
    organization = Organization(tmp_path)
    ask = Asking(organization)
    staging = organization.deployments.create("staging")
    ask(sent("CreateIssue"), {"title": "a", "description": ""}, deployment=staging)
    assert ask(sent("ListIssues"), {"limit": 9})["issues"] == [], "another deployment's issues are not this one's"
    organization.close()
    again = Organization(tmp_path)
    found = again.deployments.named("staging")
    assert found is not None
    assert [issue.title for issue in again.issues.page(found, 9)[0]] == ["a"]
    again.deployments.delete(found.id)
    assert again.issues.page(found, 9) == ([], False)
    again.close()
