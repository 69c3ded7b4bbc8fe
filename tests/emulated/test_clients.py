"""The stock ``dagster-cloud`` and ``dg`` commands against the embedded Dagster+: exit code, words, and what was done.

One organization is served for all; each test has a location, secret or deployment of its own. What waits for a running
agent is elsewhere (test_local_stack.py, test_features_*.py). That the real service says the same is not proven here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.emulated.served import ServedOrganization, environment

pytestmark = pytest.mark.emulated

BIN = Path(sys.executable).parent
AT_ONCE = ("--location-load-timeout", "0", "--agent-heartbeat-timeout", "0")
PROJECT = """
[project]
name = "proj"
version = "0.1"
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "proj"
"""
POLICY = """
alert_policies:
  - name: agent down
    event_types: [AGENT_UNAVAILABLE]
    enabled: true
    notification_service: {email: {email_addresses: [ops@example.com]}}
"""


@dataclass(frozen=True)
class Clients:
    """The commands, run in ``folder`` with nothing of this process's own configuration."""

    plus: ServedOrganization
    folder: Path

    def cloud(self, *arguments: str, fails: bool = False, url: str | None = None, **more: str) -> str:
        """``dagster-cloud``, for the deployment ``prod`` unless ``url`` says otherwise."""
        variables = {"DAGSTER_CLOUD_URL": url or f"{self.plus.url}/prod", "DAGSTER_CLOUD_API_TOKEN": self.plus.token}
        return self._run("dagster-cloud", arguments, {**variables, **more}, fails=fails)

    def dg(self, *arguments: str, fails: bool = False, **more: str) -> str:
        """``dg``, signed in by a configuration file as `dg plus login` writes it."""
        config = self.folder / "plus.yaml"
        config.write_text(
            yaml.safe_dump(
                {
                    "organization": "local",
                    "url": self.plus.url,
                    "user_token": self.plus.token,
                    "default_deployment": "prod",
                }
            )
        )
        return self._run("dg", arguments, {"DAGSTER_CLOUD_CLI_CONFIG": str(config), **more}, fails=fails)

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def locations(self) -> dict[str, dict[str, Any]]:
        """The documents that the organization has, by name."""
        document = self.plus.ask("{ locationsAsDocument { document } }")["locationsAsDocument"]["document"]
        return {location["location_name"]: location for location in document["locations"]}

    def _run(self, program: str, arguments: tuple[str, ...], more: Mapping[str, str], *, fails: bool) -> str:
        # In that home, a file keeps the commands from telling their makers that they were run.
        settled = environment(HOME=str(self.folder), DAGSTER_HOME=str(self.folder), NO_COLOR="1", COLUMNS="300", **more)
        ran = subprocess.run(
            [str(BIN / program), *arguments],
            cwd=self.folder,
            env={key: value for key, value in settled.items() if key not in ("CI", "GITHUB_ACTIONS")},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        said = ran.stdout + (ran.stderr if fails or ran.returncode else "")
        assert (ran.returncode != 0) == fails, f"{program} {' '.join(arguments)} ended with {ran.returncode}: {said}"
        assert self.plus.token not in ran.stdout + ran.stderr, "a command that shows the token shows it in every CI log"
        return said


@pytest.fixture(scope="module")
def plus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedOrganization]:
    with ServedOrganization(tmp_path_factory.mktemp("clients")) as served:
        yield served


@pytest.fixture
def clients(plus: ServedOrganization, tmp_path: Path) -> Clients:
    (tmp_path / "src" / "proj" / "defs").mkdir(parents=True)
    (tmp_path / "src" / "proj" / "__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return Clients(plus, tmp_path)


def test_locations_are_added_listed_pulled_and_deleted(clients: Clients) -> None:
    clients.cloud("deployment", "add-location", "one", "--image", "r:1", "--module-name", "m.defs", *AT_ONCE)
    assert clients.locations()["one"]["image"] == "r:1"
    clients.cloud("deployment", "update-location", "one", "--image", "r:2", "--module-name", "m.defs", *AT_ONCE)
    assert clients.locations()["one"]["image"] == "r:2", "the same command updates"
    assert "one" in clients.cloud("deployment", "list-locations")
    pulled = yaml.safe_load(clients.cloud("deployment", "pull-locations"))
    assert {location["location_name"] for location in pulled["locations"]} == set(clients.locations())
    assert "Deleted location one" in clients.cloud("deployment", "delete-location", "one")
    assert "one" not in clients.locations()


@pytest.mark.slow
def test_a_sync_replaces_all_locations_and_a_wrong_one_replaces_none(clients: Clients) -> None:
    workspace = clients.file(
        "workspace.yaml",
        "locations:\n  alpha: {module_name: a.defs, image: 'r:1'}\n  beta: {module_name: b.defs}\n",
    )
    clients.cloud("deployment", "sync-locations", "-w", workspace, *AT_ONCE)
    assert set(clients.locations()) == {"alpha", "beta"}
    wrong = clients.file(
        "dagster_cloud.yaml",
        "locations:\n  - {location_name: gamma, code_source: {module_name: c.defs}, "
        "container_context: {ecs: {envvars: [A=1]}}}\n",
    )
    said = clients.cloud("deployment", "sync-locations", "-w", wrong, *AT_ONCE, fails=True)
    assert "envvars" in said, "whoever wrote the file has to find the key"
    assert set(clients.locations()) == {"alpha", "beta"}, "what is refused deletes nothing"


def test_deployment_settings_are_set_from_a_file_and_a_wrong_one_is_refused(clients: Clients) -> None:
    file = clients.file("settings.yaml", "run_retries: {max_retries: 2}\n")
    clients.cloud("deployment", "settings", "set-from-file", file)
    assert yaml.safe_load(clients.cloud("deployment", "settings", "get")) == {"run_retries": {"max_retries": 2}}
    wrong = clients.file("wrong.yaml", "run_retries: {max_retriess: 2}\n")
    assert "run_retries.max_retriess" in clients.cloud("deployment", "settings", "set-from-file", wrong, fails=True)
    stored = clients.plus.ask("{ deploymentSettings { settings } }")["deploymentSettings"]["settings"]
    assert stored == {"run_retries": {"max_retries": 2}}


@pytest.mark.slow
def test_organization_settings_are_set_and_read_by_both_programs(clients: Clients) -> None:
    file = clients.file("organization.yaml", "max_concurrent_branch_deployment_runs: 20\n")
    clients.cloud("organization", "settings", "set-from-file", file)
    assert "max_concurrent_branch_deployment_runs: 20" in clients.cloud("organization", "settings", "get")
    other = clients.file("organization.yaml", "max_concurrent_branch_deployment_runs: 30\n")
    clients.dg("api", "organization", "settings", "set", other)
    assert "max_concurrent_branch_deployment_runs: 30" in clients.dg("api", "organization", "settings", "get")
    wrong = clients.file("organization.yaml", "max_concurrent_branch_deployment_runs: -1\n")
    said = clients.dg("api", "organization", "settings", "set", wrong, fails=True)
    assert "max_concurrent_branch_deployment_runs" in said
    stored = clients.plus.ask("{ organizationSettings { settings } }")["organizationSettings"]["settings"]
    assert stored == {"max_concurrent_branch_deployment_runs": 30}


@pytest.mark.slow
def test_alert_policies_are_synced_and_listed_and_a_wrong_one_is_refused(clients: Clients) -> None:
    file = clients.file("alert_policies.yaml", POLICY)
    assert "Synced alert policies: agent down" in clients.cloud("deployment", "alert-policies", "sync", "-a", file)
    listed = yaml.safe_load(clients.cloud("deployment", "alert-policies", "list"))
    assert listed == yaml.safe_load(POLICY)
    wrong = clients.file("wrong.yaml", POLICY.replace("AGENT_UNAVAILABLE", "AGENT_GONE"))
    said = clients.cloud("deployment", "alert-policies", "sync", "-a", wrong, fails=True)
    assert "InvalidAlertPolicyError" in said
    found = clients.plus.ask("{ alertPolicies { name eventTypes } }")["alertPolicies"]
    assert found == [{"name": "agent down", "eventTypes": ["AGENT_UNAVAILABLE"]}]


@pytest.mark.slow
def test_dg_api_syncs_and_lists_alert_policies(clients: Clients) -> None:
    file = clients.file("alert_policies.yaml", POLICY.replace("agent down", "of dg"))
    assert "of dg" in clients.dg("api", "alert-policy", "sync", file)
    assert "of dg" in clients.dg("api", "alert-policy", "list", "--json")
    found = clients.plus.ask("{ alertPolicies { name } }")["alertPolicies"]
    assert found == [{"name": "of dg"}], "a sync deletes what it does not name"


def test_a_branch_deployment_is_made_found_again_and_deleted(clients: Clients) -> None:
    git = ("--git-repo-name", "acme/data", "--branch-name", "feature/x", "--commit-hash", "abc", "--timestamp", "1")
    made = clients.cloud(
        "branch-deployment", "create-or-update", *git, "--no-read-git-state", "--url", f"{clients.plus.url}/prod"
    )
    [branch] = clients.plus.ask(
        "{ branchDeployments(limit: 9) { nodes { deploymentName latestCommit { commitHash } } } }"
    )["branchDeployments"]["nodes"]
    assert branch["deploymentName"] in made, "CI reads the name from there"
    assert branch["latestCommit"] == {"commitHash": "abc"}
    refused = clients.cloud("branch-deployment", "delete", "--deployment", "prod", fails=True)
    assert "not a branch deployment" in refused
    clients.cloud("branch-deployment", "delete", "--deployment", branch["deploymentName"])
    left = clients.plus.ask("{ branchDeployments(limit: 9) { nodes { deploymentName } } }")
    assert left["branchDeployments"]["nodes"] == []


@pytest.mark.slow
def test_ci_deploys_what_it_was_told_to_build(clients: Clients) -> None:
    clients.file(
        "dagster_cloud.yaml",
        "locations:\n  - location_name: built\n    code_source: {module_name: m.defs}\n"
        "    build: {directory: ., registry: r}\n",
    )
    base: dict[str, Any] = {"url": clients.plus.url, "DAGSTER_BUILD_STATEDIR": str(clients.folder / "state")}
    clients.cloud("ci", "init", "--organization", "local", "--deployment", "prod", "--project-dir", ".", **base)
    clients.cloud("ci", "set-build-output", "--location-name", "built", "--image-tag", "v1", **base)
    said = clients.cloud("ci", "deploy", *AT_ONCE, fails=True, **base)
    assert "Updated code location built" in said
    assert "Timed out waiting" in said, "for zero seconds the client takes its own default, and no agent runs"
    assert clients.locations()["built"]["image"] == "r:v1"
    assert "build" not in clients.locations()["built"], "the client takes it out; the server would refuse it"


def test_dg_sets_environment_variables_and_pulls_the_local_ones(clients: Clients) -> None:
    clients.dg("plus", "create", "env", "EVERYWHERE", "one", "--global", "-y")
    clients.dg("plus", "create", "env", "MINE", "two words", "--scope", "local", "-y")
    listed = clients.plus.ask(
        "{ secretsOrError { ... on Secrets { secrets { secretName secretValue locationNames fullDeploymentScope "
        "localDeploymentScope } } } }"
    )["secretsOrError"]["secrets"]
    found = {one["secretName"]: one for one in listed}
    assert found["EVERYWHERE"]["locationNames"] == []
    assert found["MINE"] == {
        "secretName": "MINE",
        "secretValue": "two words",
        "locationNames": [clients.folder.name],
        "fullDeploymentScope": False,
        "localDeploymentScope": True,
    }
    clients.dg("plus", "pull", "env")
    pulled = (clients.folder / ".env").read_text()
    assert "EVERYWHERE=one" in pulled
    assert "two words" in pulled
    items = json.loads(clients.dg("api", "secret", "list", "--json"))["items"]
    assert {one["name"] for one in items} >= {"EVERYWHERE", "MINE"}
    assert "two words" not in json.dumps(items), "a list has no values"


@pytest.mark.slow
def test_a_secret_is_shown_when_asked_for_and_changed_when_set_again(clients: Clients) -> None:
    clients.dg("plus", "create", "env", "SHOWN", "before", "--global", "-y")
    clients.dg("plus", "create", "env", "SHOWN", "after", "--global", "--scope", "full", "-y")
    assert json.loads(clients.dg("api", "secret", "get", "SHOWN", "--json"))["value"] is None
    listed = clients.plus.ask(
        '{ secretsOrError(secretName: "SHOWN") { ... on Secrets { secrets { secretValue fullDeploymentScope } } } }'
    )["secretsOrError"]["secrets"]
    assert {one["secretValue"]: one["fullDeploymentScope"] for one in listed} == {"before": False, "after": True}
    refused = clients.dg("plus", "create", "env", "1X", "the-value", "--global", "-y", fails=True)
    assert "'1X' cannot be the name" in refused
    assert "the-value" not in refused, "an error shows no value"


@pytest.mark.slow
def test_a_ci_token_is_made_and_deploys(clients: Clients) -> None:
    token = clients.dg("plus", "create", "ci-api-token", "--description", "for ci").split()[-1]
    tokens = clients.plus.ask(
        "{ agentTokensOrError { ... on DagsterCloudAgentTokens { tokens { description revoked } } } }"
    )["agentTokensOrError"]["tokens"]
    assert {"description": "for ci", "revoked": False} in tokens
    clients.cloud(
        "deployment", "add-location", "by-ci", "--module-name", "m.defs", *AT_ONCE, DAGSTER_CLOUD_API_TOKEN=token
    )
    assert "by-ci" in clients.locations()
    file = clients.file("settings.yaml", "run_retries: {max_retries: 9}\n")
    said = clients.cloud("deployment", "settings", "set-from-file", file, fails=True, DAGSTER_CLOUD_API_TOKEN=token)
    assert "UnauthorizedError" in said, "a token for CI does not administer"


@pytest.mark.slow
def test_dg_api_reads_deployments_agents_and_locations(clients: Clients) -> None:
    deployments = json.loads(clients.dg("api", "deployment", "list", "--json"))["items"]
    assert {"name": "prod", "agent_type": "HYBRID"}.items() <= deployments[0].items()
    assert json.loads(clients.dg("api", "agent", "list", "--json")) == {"items": [], "total": 0}
    clients.dg("api", "code-location", "add", "of-dg", "--module-name", "m.defs", "--json")
    listed = json.loads(clients.dg("api", "code-location", "list", "--json"))["items"]
    assert {"of-dg"} <= {one["location_name"] for one in listed}
    assert "of-dg" in clients.locations()


@pytest.mark.slow
def test_dg_api_reads_and_changes_the_rest(clients: Clients) -> None:
    clients.dg("api", "code-location", "add", "of-dg", "--module-name", "m.defs", "--json")
    assert json.loads(clients.dg("api", "code-location", "get", "of-dg", "--json"))["location_name"] == "of-dg"
    clients.dg("api", "code-location", "delete", "of-dg", "--json")
    assert "of-dg" not in clients.locations()
    assert "not found" in clients.dg("api", "code-location", "get", "of-dg", "--json", fails=True).lower()
    assert json.loads(clients.dg("api", "deployment", "get", "prod", "--json"))["name"] == "prod"
    assert "nowhere" in clients.dg("api", "deployment", "get", "nowhere", "--json", fails=True)
    file = clients.file("settings.yaml", "run_retries: {max_retries: 3}\n")
    clients.dg("api", "deployment", "settings", "set", file)
    assert yaml.safe_load(clients.dg("api", "deployment", "settings", "get")) == {"run_retries": {"max_retries": 3}}
    name = clients.plus.full_deployment("gone-soon")
    clients.dg("api", "deployment", "delete", name, fails=True)
    clients.dg("api", "deployment", "delete", name, "--allow-delete-full-deployment", "--json")
    left = clients.plus.ask("{ deployments { deploymentName } }")["deployments"]
    assert {"deploymentName": name} not in left
    assert "agent" in clients.dg("api", "agent", "get", "no-such-agent", "--json", fails=True).lower()


@pytest.mark.slow
def test_atlans_settings_are_served_and_there_are_none_at_first(clients: Clients) -> None:
    said = clients.cloud("integration", "atlan", "get-settings", fails=True)
    assert "No Atlan integration settings configured" in said, "the command's own words for an answer without settings"
