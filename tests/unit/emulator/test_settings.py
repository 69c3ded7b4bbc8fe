"""Settings documents: what is taken, what is refused and how it is named, and what an instance makes of them.

That Dagster's instance obeys is proven where runs are queued; here, that it accepts what it is given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster_cloud_cli import gql

from hybrid.emulator.organization import Organization
from hybrid.emulator.organization.settings import SettingsError, deployment_faults
from hybrid.emulator.runtime.settings import instance_settings
from tests.unit.emulator.asking import Asking, sent_by_dg_api

pytestmark = pytest.mark.unit

REFERENCE = yaml.safe_load("""
concurrency:
  pools: {granularity: run, default_limit: 1, op_granularity_run_buffer: 2}
  runs:
    max_concurrent_runs: 10
    tag_concurrency_limits:
      - {key: database, value: redshift, limit: 5}
      - {key: team, value: {applyLimitPerUniqueValue: true}, limit: 3}
      - {key: any, limit: 1}
run_monitoring:
  start_timeout_seconds: 1200
  cancel_timeout_seconds: 1200
  max_runtime_seconds: 7200
  free_slots_after_run_end_seconds: 300
run_retries: {max_retries: 2, retry_on_asset_or_op_failure: false}
sso_default_role: EDITOR
non_isolated_runs: {enabled: true, max_concurrent_non_isolated_runs: 1}
""")
OLDER = yaml.safe_load("""
run_queue:
  max_concurrent_runs: 3
  tag_concurrency_limits: [{key: database, limit: 1}]
  block_op_concurrency_limited_runs: {enabled: true, op_concurrency_slot_buffer: 4}
concurrency: {default_op_concurrency_limit: 2}
auto_materialize: {run_tags: {team: data}, use_sensors: true}
freshness: {enabled: true}
""")
WRONG = {
    "run_queue.max_concurent_runs": {"run_queue": {"max_concurent_runs": 1}},
    "retries": {"retries": {"max_retries": 1}},
    "run_retries.max_retries": {"run_retries": {"max_retries": "three"}},
    "run_retries.enabled": {"run_retries": {"enabled": "yes"}},
    "run_monitoring.start_timeout_seconds": {"run_monitoring": {"start_timeout_seconds": -1}},
    "concurrency.runs.max_concurrent_runs": {"concurrency": {"runs": {"max_concurrent_runs": True}}},
    "concurrency.pools.granularity": {"concurrency": {"pools": {"granularity": "asset"}}},
    "concurrency.runs.tag_concurrency_limits[0].limit": {
        "concurrency": {"runs": {"tag_concurrency_limits": [{"key": "a"}]}}
    },
    "concurrency.runs.tag_concurrency_limits": {"concurrency": {"runs": {"tag_concurrency_limits": {"key": "a"}}}},
    "sso_default_role": {"sso_default_role": "OWNER"},
    "run_queue.max_concurrent_runs and concurrency.runs": {
        "run_queue": {"max_concurrent_runs": 1},
        "concurrency": {"runs": {"max_concurrent_runs": 1}},
    },
    "concurrency.default_op_concurrency_limit and concurrency.pools": {
        "concurrency": {"default_op_concurrency_limit": 1, "pools": {}}
    },
}
SET = gql.SET_DEPLOYMENT_SETTINGS_MUTATION
UPDATE = """mutation ($settings: GenericScalar, $id: Int) {
  updateDeploymentSettings(deploymentSettings: {settings: $settings}, deploymentId: $id) {
    __typename ... on DeploymentSettings { settings } ... on Error { message } } }"""
UPDATE_ORGANIZATION = """mutation ($settings: GenericScalar) {
  updateOrganizationSettings(organizationSettings: {settings: $settings}) {
    __typename ... on OrganizationSettings { settings } ... on Error { message } } }"""


@pytest.fixture
def ask(organization: Organization) -> Asking:
    return Asking(organization)


def put(ask: Asking, document: Any, **arguments: Any) -> Any:
    return ask(SET, {"deploymentSettings": {"settings": document}}, **arguments)


@pytest.mark.parametrize("document", [REFERENCE, OLDER, {}, {"run_retries": None}], ids=["docs", "older", "{}", "null"])
def test_documents_of_both_spellings_are_taken_and_read_back(ask: Asking, document: dict[str, Any]) -> None:
    assert put(ask, document)["settings"] == document
    assert ask(gql.DEPLOYMENT_SETTINGS_QUERY) == {"settings": document}
    assert ask(sent_by_dg_api("deployment", "GetDeploymentSettings")) == {"settings": document}
    assert (
        ask("{ currentDeployment { deploymentSettings { settings } } }")["deploymentSettings"]["settings"] == document
    )


@pytest.mark.parametrize(("key", "document"), WRONG.items(), ids=WRONG)
def test_a_wrong_document_is_refused_naming_the_key_and_changes_nothing(
    ask: Asking, key: str, document: dict[str, Any]
) -> None:
    put(ask, {"sso_default_role": "VIEWER"})
    for query in (SET, sent_by_dg_api("deployment", "SetDeploymentSettings")):
        refused = ask(query, {"deploymentSettings": {"settings": document}})
        assert refused["__typename"] == "PythonError", "the result has no other type for it"
        assert key in refused["message"], "whoever wrote the document has to find the place"
    assert ask.organization.deployment.settings == {"sso_default_role": "VIEWER"}


@pytest.mark.parametrize("document", [[], "run_queue: {}", 3, True], ids=["list", "text", "number", "flag"])
def test_what_is_no_map_is_refused(ask: Asking, document: Any) -> None:
    assert "must be a map" in put(ask, document)["message"]


def test_the_limit_of_runs_depends_on_the_agents() -> None:
    document = {"concurrency": {"runs": {"max_concurrent_runs": 51}}}
    assert not deployment_faults(document, "HYBRID")
    assert deployment_faults(document, "SERVERLESS") == [
        "concurrency.runs.max_concurrent_runs must be at least 0 and at most 50."
    ]
    assert "at most 500" in deployment_faults({"run_queue": {"max_concurrent_runs": 501}}, "HYBRID")[0]


def test_set_replaces_and_update_merges(ask: Asking) -> None:
    put(ask, {"run_retries": {"max_retries": 1, "enabled": True}, "sso_default_role": "VIEWER"})
    merged = ask(UPDATE, {"settings": {"run_retries": {"max_retries": 2}, "sso_default_role": None}})
    assert merged["settings"] == {"run_retries": {"max_retries": 2, "enabled": True}}, "null takes a key out"
    assert put(ask, {"sso_default_role": "ADMIN"})["settings"] == {"sso_default_role": "ADMIN"}
    assert ask(UPDATE, {"settings": {"run_retries": 1}})["__typename"] == "PythonError", "the merged document is judged"
    assert ask.organization.deployment.settings == {"sso_default_role": "ADMIN"}


def test_another_deployment_is_changed_by_its_number(ask: Asking) -> None:
    staging = ask.organization.deployments.create("staging")
    ask(UPDATE, {"settings": {"sso_default_role": "ADMIN"}, "id": staging.id})
    changed = ask.organization.deployments.numbered(staging.id)
    assert changed is not None
    assert changed.settings == {"sso_default_role": "ADMIN"}
    assert ask.organization.deployment.settings == {}
    assert ask(UPDATE, {"settings": {}, "id": 99})["__typename"] == "DeploymentNotFoundError"


def test_editors_change_a_deployments_settings_and_only_administrators_the_organizations(ask: Asking) -> None:
    assert put(ask, {}, caller=ask.user("EDITOR"))["__typename"] == "DeploymentSettings"
    assert put(ask, {}, caller=ask.user("VIEWER"))["__typename"] == "UnauthorizedError"
    assert put(ask, {}, caller=ask.agent())["__typename"] == "UnauthorizedError"
    other = ask.organization.deployments.create("staging")
    assert ask(UPDATE, {"settings": {}, "id": other.id}, caller=ask.user("EDITOR"))["__typename"] == "UnauthorizedError"
    for caller in (ask.user("ADMIN"), ask.agent()):
        refused = ask(gql.SET_ORGANIZATION_SETTINGS_MUTATION, {"organizationSettings": {"settings": {}}}, caller=caller)
        assert refused["__typename"] == "UnauthorizedError", "an admin of one deployment is not the organization's"


def test_the_organizations_settings_are_set_merged_and_kept(tmp_path: Path) -> None:
    organization = Organization(tmp_path)
    ask = Asking(organization)
    document = {"max_concurrent_branch_deployment_runs": 20, "sso_url": "https://example.com"}
    answer = ask(gql.SET_ORGANIZATION_SETTINGS_MUTATION, {"organizationSettings": {"settings": document}})
    assert answer["settings"] == document, "a key that no page describes is kept as it is"
    ask(UPDATE_ORGANIZATION, {"settings": {"max_concurrent_runs_per_branch_deployment": 5, "sso_url": None}})
    sent = ask(sent_by_dg_api("organization", "UpdateOrganizationSettings"), {"organizationSettings": {"settings": []}})
    assert sent["__typename"] == "PythonError", "a list is no settings document"
    organization.close()
    again = Organization(tmp_path)
    wanted = {"max_concurrent_branch_deployment_runs": 20, "max_concurrent_runs_per_branch_deployment": 5}
    assert Asking(again)(gql.ORGANIZATION_SETTINGS_QUERY) == {"settings": wanted}
    again.close()


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"max_concurrent_branch_deployment_runs": -1}, "max_concurrent_branch_deployment_runs"),
        ({"max_concurrent_runs_per_branch_deployment": 51}, "max_concurrent_runs_per_branch_deployment"),
        ({"branch_deployment_tag_concurrency_limits": [{"limit": 1}]}, "limits[0].key"),
    ],
)
def test_wrong_settings_of_the_organization_are_refused(
    organization: Organization, document: dict[str, Any], key: str
) -> None:
    with pytest.raises(SettingsError, match="were not taken") as raised:
        organization.settings.set_organization(document)
    assert key in str(raised.value)
    assert organization.settings.of_organization == {}


def test_branch_deployments_have_the_organizations_limits_and_no_settings_of_their_own(ask: Asking) -> None:
    organization = ask.organization
    git = {"repoName": "data", "branchName": "x"}
    branch = organization.deployments.put_branch(organization.deployment, git, {"commitHash": "1", "timestamp": 1.0})
    put(ask, {"concurrency": {"runs": {"max_concurrent_runs": 7}}})
    told: list[str] = []
    organization.settings.when_changed(lambda deployment: told.append(deployment.name))
    organization.settings.set_organization({"max_concurrent_runs_per_branch_deployment": 4})
    assert told == [branch.name], "whoever serves the branch deployment has to learn of its new limits"
    refused = put(ask, {}, deployment=branch)
    assert refused["__typename"] == "PythonError"
    assert "no settings of their own" in refused["message"]
    runs = organization.settings.in_effect(branch)["concurrency"]["runs"]
    assert runs == {"max_concurrent_runs": 4, "tag_concurrency_limits": []}, "not the 7 of its full deployment"


def test_an_instance_gets_the_defaults_of_docs_when_nothing_is_set() -> None:
    settings = instance_settings({})
    assert settings["run_queue"]["max_concurrent_runs"] == 10
    assert settings["run_retries"] == {"enabled": True, "max_retries": 0}
    assert settings["run_monitoring"]["start_timeout_seconds"] == 1_200
    assert settings["run_monitoring"]["cancel_timeout_seconds"] == 1_200


def test_an_instance_gets_the_same_of_either_spelling() -> None:
    newer = {
        "concurrency": {
            "runs": {"max_concurrent_runs": 3, "tag_concurrency_limits": [{"key": "database", "limit": 1}]},
            "pools": {"granularity": "op", "default_limit": 2, "op_granularity_run_buffer": 4},
        }
    }
    older = {key: OLDER[key] for key in ("run_queue", "concurrency")}
    assert instance_settings(older) == instance_settings(newer)


def test_a_key_that_is_null_has_its_default() -> None:
    nothing = {"run_retries": None, "concurrency": {"runs": None, "pools": {"default_limit": None}}}
    assert instance_settings(nothing) == instance_settings({})


@pytest.mark.contracts
@pytest.mark.parametrize("document", [REFERENCE, OLDER, {}], ids=["docs", "older", "{}"])
def test_dagsters_own_instance_takes_what_is_made_of_a_document(document: dict[str, Any]) -> None:
    from dagster._config import validate_config
    from dagster._core.instance.config import ConcurrencyConfig, dagster_instance_config_schema
    from dagster._core.run_coordinator import QueuedRunCoordinator

    settings = instance_settings(document)
    queue = settings.pop("run_queue")
    result = validate_config(dagster_instance_config_schema(), settings)
    assert result.success, [error.message for error in result.errors or ()]
    coordinator = QueuedRunCoordinator(**queue)
    config = ConcurrencyConfig.from_concurrency_settings(
        settings["concurrency"], coordinator.get_run_queue_config()
    ).run_queue_config
    assert config is not None
    assert config.max_concurrent_runs == queue["max_concurrent_runs"]
    assert list(config.tag_concurrency_limits) == queue["tag_concurrency_limits"]
