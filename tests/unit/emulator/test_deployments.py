"""Deployments: made, changed, deleted with all that is known of them, and found again after a restart."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hybrid.emulator.organization import (
    AgentReport,
    Deployment,
    DeploymentError,
    DuplicateDeploymentError,
    Organization,
)
from hybrid.emulator.organization.deployments import COMMITS_KEPT, built_in_environment
from hybrid.emulator.organization.schema import VERSIONS

GIT = {"repoName": "data", "branchName": "feature/x"}
DOCUMENT = {"location_name": "alpha"}


def commit(number: int) -> dict[str, object]:
    return {"commitHash": f"{number:040x}", "timestamp": float(number)}


def report(name: str) -> AgentReport:
    return AgentReport(name, name, "Launcher", {}, [{"location_name": "alpha", "status": "RUNNING"}], [], [])


def test_a_deployment_is_found_after_a_restart_with_all_that_was_said_of_it(tmp_path: Path) -> None:
    organization = Organization(tmp_path)
    made = organization.deployments.create("staging", "SERVERLESS")
    organization.deployments.set_settings(made.id, {"run_queue": {"max_concurrent_runs": 3}})
    switched = organization.deployments.set_agent_type(made.id, "HYBRID")
    branch = organization.deployments.put_branch(switched, GIT, commit(1))
    before = organization.deployments.all()
    organization.close()
    again = Organization(tmp_path)
    assert again.deployments.all() == before, "what was committed is what is read"
    assert again.deployments.parent(branch) == switched
    assert switched.agent_type_since > made.created_at > 0, "when it was switched is known"
    again.close()


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "..", "runs", "graphql", "a" * 64, "a\n", "é", "hybrid"])
def test_a_name_that_would_break_paths_is_refused(organization: Organization, name: str) -> None:
    with pytest.raises(DeploymentError, match="cannot be the name"):
        organization.deployments.create(name)
    assert len(organization.deployments.all()) == 1, "nothing may be left of it"


def test_a_name_is_given_once(organization: Organization) -> None:
    organization.deployments.create("staging")
    with pytest.raises(DuplicateDeploymentError, match="already"):
        organization.deployments.create("staging")


def test_a_branch_is_one_deployment_however_often_it_is_pushed(organization: Organization) -> None:
    deployments, parent = organization.deployments, organization.deployment
    first = deployments.put_branch(parent, GIT, commit(1))
    again = deployments.put_branch(parent, {**GIT, "pullRequestStatus": "MERGED"}, commit(2))
    repeated = deployments.put_branch(parent, {**GIT, "pullRequestStatus": "MERGED"}, commit(2))
    assert (again.id, again.name) == (first.id, first.name)
    assert [one["timestamp"] for one in repeated.commits] == [2.0, 1.0], "the latest first, each once"
    assert repeated.git == {**GIT, "pullRequestStatus": "MERGED"}
    others = [
        deployments.put_branch(parent, {**GIT, "repoName": "other"}, commit(1)),
        deployments.put_branch(parent, {**GIT, "branchName": "feature"}, commit(1)),
        deployments.put_branch(deployments.create("staging"), GIT, commit(1)),
    ]
    assert len({one.name for one in [first, *others]}) == 4, "another repository, branch or parent is another one"


def test_a_branch_keeps_its_latest_commits_only(organization: Organization) -> None:
    for number in range(COMMITS_KEPT + 5):
        branch = organization.deployments.put_branch(organization.deployment, GIT, commit(number))
    assert [one["timestamp"] for one in branch.commits][:2] == [COMMITS_KEPT + 4.0, COMMITS_KEPT + 3.0]
    assert len(branch.commits) == COMMITS_KEPT


def test_branch_deployments_follow_their_parents_agent_type(organization: Organization) -> None:
    deployments = organization.deployments
    branch = deployments.put_branch(organization.deployment, GIT, commit(1))
    heard: list[Deployment] = []
    deployments.when_changed(heard.append)
    deployments.set_agent_type(organization.deployment.id, "SERVERLESS")
    after = deployments.numbered(branch.id)
    assert after is not None
    assert after.agent_type == "SERVERLESS"
    assert [one.name for one in heard] == ["prod", branch.name], "both changed, and who listens hears of both"
    deployments.set_agent_type(organization.deployment.id, "SERVERLESS")
    assert len(heard) == 2, "what stays as it is is no change"


def test_a_deleted_deployment_leaves_nothing_behind_and_others_alone(organization: Organization) -> None:
    deployments = organization.deployments
    staging = deployments.create("staging")
    branch = deployments.put_branch(staging, GIT, commit(1))
    kept = deployments.put_branch(organization.deployment, GIT, commit(1))
    for name in ("prod", "staging", branch.name, kept.name):
        organization.locations.put(name, DOCUMENT, "{}")
        organization.agents.heard(name, report(f"agent of {name}"))
        organization.requests.submit(name, "LAUNCH_RUN", f"launch:{name}", "{}")
    token, _ = organization.tokens.create("agent", "of staging")
    organization.tokens.grant(token.id, "DEPLOYMENT", staging.id)
    gone: list[str] = []
    deployments.when_deleted(lambda one: gone.append(one.name))
    deployments.delete(staging.id)
    assert sorted(gone) == sorted(["staging", branch.name]), "its branch deployments go with it"
    assert [one.name for one in deployments.all()] == ["prod", kept.name]
    for name in ("staging", branch.name):
        assert organization.locations.all(name) == ()
        assert organization.agents.all(name) == ()
    assert [request.deployment for request in organization.requests.pop([None])] == ["prod", kept.name]
    after = organization.tokens.get(token.id, "agent")
    assert after is not None
    assert [grant.scope for grant in after.grants] == ["ORGANIZATION"], "the grant for it went with it"


def test_code_finds_its_deployment_in_its_environment_and_a_branchs_commit_too(organization: Organization) -> None:
    assert built_in_environment(organization.deployment) == {
        "DAGSTER_CLOUD_DEPLOYMENT_NAME": "prod",
        "DAGSTER_CLOUD_IS_BRANCH_DEPLOYMENT": "0",
    }, "the commit's variables are for branch deployments"
    said = {**commit(2), "timestamp": 1724871941.0, "commitMessage": "Fix it", "authorName": None}
    git = {**GIT, "pullRequestNumber": "7", "pullRequestStatus": "OPEN"}
    branch = organization.deployments.put_branch(organization.deployment, git, said)
    assert built_in_environment(branch) == {
        "DAGSTER_CLOUD_DEPLOYMENT_NAME": branch.name,
        "DAGSTER_CLOUD_IS_BRANCH_DEPLOYMENT": "1",
        "DAGSTER_CLOUD_GIT_SHA": said["commitHash"],
        "DAGSTER_CLOUD_GIT_TIMESTAMP": "1724871941",
        "DAGSTER_CLOUD_GIT_MESSAGE": "Fix it",
        "DAGSTER_CLOUD_GIT_BRANCH": "feature/x",
        "DAGSTER_CLOUD_GIT_REPO": "data",
        "DAGSTER_CLOUD_PULL_REQUEST_ID": "7",
        "DAGSTER_CLOUD_PULL_REQUEST_STATUS": "OPEN",
    }, "what is not known is not set"


def test_the_first_deployment_stays(organization: Organization) -> None:
    with pytest.raises(DeploymentError, match="founded with"):
        organization.deployments.delete(organization.deployment.id)
    assert organization.deployment.name == "prod"


def test_an_agent_of_branch_deployments_counts_for_each_of_them(organization: Organization) -> None:
    branch = organization.deployments.put_branch(organization.deployment, GIT, commit(1))
    token, _ = organization.tokens.create("agent", None)
    other, _ = organization.tokens.create("agent", None)
    organization.agents.heard("prod", report("both"), token.id)
    organization.agents.heard("prod", report("full only"), other.id)
    assert organization.agents.serving(branch) == (), "nobody has asked for requests of branch deployments yet"
    organization.agents.polled_for_branches(token.id)
    assert [one.report.id for one in organization.agents.serving(branch)] == ["both"]
    assert organization.agents.serving(branch)[0].report.code_servers == [], "those are of the full deployment"
    assert {one.report.id for one in organization.agents.serving(organization.deployment)} == {"both", "full only"}


def test_agents_take_ten_requests_of_each_full_deployment_and_ten_of_all_branches(organization: Organization) -> None:
    names = ["prod", "staging", "branch-1", "branch-2"]
    for number in range(12):
        for name in names:
            organization.requests.submit(name, "LAUNCH_RUN", f"{name}:{number}", "{}")
    taken = organization.requests.pop([None], None, {"prod", "staging"}, {"branch-1", "branch-2"})
    counts = {name: sum(request.deployment == name for request in taken) for name in names}
    assert counts == {"prod": 10, "staging": 10, "branch-1": 5, "branch-2": 5}, "the agent counts so (client)"


def test_a_launch_that_is_no_longer_wanted_is_not_handed_out(organization: Organization) -> None:
    organization.requests.ask_before_launching(lambda request: "ended" not in request.id)
    organization.requests.submit("prod", "LAUNCH_RUN", "launch:ended:1", "{}")
    organization.requests.submit("prod", "TERMINATE_RUN", "ended:2", "{}")
    organization.requests.submit("prod", "LAUNCH_RUN", "launch:wanted:3", "{}")
    assert [request.id for request in organization.requests.pop([None])] == ["ended:2", "launch:wanted:3"]
    assert organization.requests.pop([None]) == [], "and it is gone"


def test_a_folder_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    file = tmp_path / "organization.sqlite"
    former = sqlite3.connect(file)
    former.executescript(VERSIONS[0] + "PRAGMA user_version = 1;")
    former.executescript(
        "INSERT INTO organization VALUES (1, 'abc', 'local');"
        "INSERT INTO deployments (name, type, agent_type) VALUES ('prod', 'PRODUCTION', 'HYBRID');"
        "INSERT INTO tokens (kind, digest, description, created_at) VALUES ('agent', 'x', 'of a stack', 1.0);"
        "INSERT INTO grants (token_id, scope) VALUES (1, 'ORGANIZATION');"
        "INSERT INTO locations VALUES ('prod', 'alpha', '{}', '{}', 1.0, 2.0, 0, 'manifest', NULL);"
    )
    former.close()
    organization = Organization(tmp_path)
    assert organization.deployment.settings == {}
    location = organization.locations.get("prod", "alpha")
    assert location is not None
    assert location.manifest == "manifest", "what was deployed before stays deployed"
    token = organization.tokens.get(1, "agent")
    assert token is not None
    assert token.serves(organization.deployment), "an agent that served goes on"
    organization.close()
