"""The runtime as the control plane sees it: loaded, asked, told, closed; runs handed to agents.

The agent's side is played by the test, with Dagster's own functions for what a code server would answer. Cannot prove
that a real agent takes part: tests of tier ``emulated`` do.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest
from dagster import DagsterRun, DagsterRunStatus, Definitions, job, op
from dagster._core.execution.api import create_execution_plan
from dagster._core.remote_representation.external_data import JobDataSnap, RepositorySnap
from dagster._core.snap import snapshot_from_execution_plan
from dagster._serdes import deserialize_value, serialize_value
from dagster_cloud.api.dagster_cloud_api import (
    AgentHeartbeat,
    DagsterCloudApiErrorResponse,
    DagsterCloudApiGrpcResponse,
    DagsterCloudApiRequest,
    DagsterCloudCodeLocationManifest,
    DagsterCloudRepositoryManifest,
    TimestampedError,
)
from dagster_cloud.execution.monitoring import CloudCodeServerHeartbeat, CloudCodeServerStatus
from dagster_cloud_cli.core.workspace import CodeLocationDeployData
from dagster_shared.error import SerializableErrorInfo
from starlette.testclient import TestClient

from hybrid.emulator.organization import AgentRequest, Organization
from hybrid.emulator.presigned import Signer
from hybrid.emulator.runtime import Runtime
from hybrid.emulator.runtime.loaded import LoadedRuntime
from hybrid.emulator.runtime.storage import open_storages
from hybrid.emulator.runtime.uploads.snapshots import SnapshotStore

pytestmark = pytest.mark.unit
DOCUMENT = {"location_name": "hello", "code_source": {"module_name": "hello"}, "agent_queue": "special"}
SELECTOR = {"repositoryLocationName": "hello", "repositoryName": "__repository__", "jobName": "greeting"}
LAUNCH = """mutation L($p: ExecutionParams!) { launchRun(executionParams: $p) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""


@op
def greet() -> None: ...


@job
def greeting() -> None:
    greet()


@pytest.fixture
def hello(runtime: LoadedRuntime, organization: Organization, tmp_path: Path) -> None:
    """The location ``hello``, loaded."""
    from dagster._core.code_pointer import ModuleCodePointer

    metadata = runtime.deploy_metadata(DOCUMENT, {})
    organization.locations.put("prod", DOCUMENT, metadata)
    repository = Definitions(jobs=[greeting]).get_repository_def()
    snapshots = SnapshotStore(tmp_path / "blobs")
    for one in repository.get_all_jobs():
        data = JobDataSnap.from_job_def(one, include_parent_snapshot=False)
        snapshots.add("job", serialize_value(data.job))
    stored = snapshots.add("repository", serialize_value(RepositorySnap.from_def(repository, defer_snapshots=True)))
    pointer = ModuleCodePointer("hello", "defs")
    manifest = DagsterCloudCodeLocationManifest(
        repositories=[
            DagsterCloudRepositoryManifest(name="__repository__", code_pointer=pointer, stored_snapshot=stored)
        ],
        container_image=None,
        executable_path=None,
        dagster_library_versions=None,
        code_location_deploy_data=deserialize_value(metadata, CodeLocationDeployData),
    )
    organization.locations.record_loaded("prod", "hello", serialize_value(manifest))


def next_request(organization: Organization, queue: str | None = "special") -> AgentRequest:
    """What an agent of ``queue`` is asked next; waited for."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        taken = organization.requests.pop([queue], limit=1)
        if taken:
            return taken[0]
        threading.Event().wait(0.01)
    raise AssertionError(f"no request came to the queue {queue}")


def in_background(runtime: LoadedRuntime, query: str, variables: dict[str, Any]) -> tuple[threading.Thread, list[Any]]:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(runtime.execute_oss("prod", query, variables, None)))
    thread.start()
    return thread, answers


def answer(organization: Organization, request: AgentRequest, response: Any) -> None:
    organization.requests.answer(request.id, serialize_value(response))


def arguments(request: AgentRequest) -> Any:
    return deserialize_value(request.body, DagsterCloudApiRequest).request_args


@pytest.mark.usefixtures("hello")
def test_a_launched_run_is_planned_and_taken_by_agents_of_the_locations_queue(
    runtime: LoadedRuntime, organization: Organization
) -> None:
    thread, answers = in_background(runtime, LAUNCH, {"p": {"selector": SELECTOR, "mode": "default"}})
    planning = next_request(organization)
    assert planning.api == "GET_EXTERNAL_EXECUTION_PLAN"
    asked = arguments(planning)
    assert asked.instance_ref is None, "the host's storages are nobody's business"
    plan = snapshot_from_execution_plan(create_execution_plan(greeting), asked.job_snapshot_id)
    answer(organization, planning, DagsterCloudApiGrpcResponse(serialized_response_or_error=serialize_value(plan)))
    thread.join(30)
    run_id = answers[0]["data"]["launchRun"]["run"]["runId"]
    launching = next_request(organization)
    assert launching.api == "LAUNCH_RUN"
    assert arguments(launching).dagster_run.run_id == run_id
    assert runtime.of("prod").instance.run_launcher.terminate(run_id)
    assert next_request(organization).api == "TERMINATE_RUN"


@pytest.mark.usefixtures("hello")
def test_an_agents_error_is_shown_to_who_launched(runtime: LoadedRuntime, organization: Organization) -> None:
    thread, answers = in_background(runtime, LAUNCH, {"p": {"selector": SELECTOR, "mode": "default"}})
    error = SerializableErrorInfo("the code server is gone", [], None)
    answer(organization, next_request(organization), DagsterCloudApiErrorResponse(error_infos=[error]))
    thread.join(30)
    assert "the code server is gone" in json.dumps(answers), "the reason must not be lost on the way"


@pytest.mark.usefixtures("hello")
def test_reload_in_the_ui_makes_the_agent_load_the_location_again(
    runtime: LoadedRuntime, organization: Organization
) -> None:
    before = organization.locations.get("prod", "hello")
    query = 'mutation { reloadRepositoryLocation(repositoryLocationName: "hello") { __typename } }'
    answered = runtime.execute_oss("prod", query, None, None)
    assert answered["data"]["reloadRepositoryLocation"]["__typename"] == "WorkspaceLocationEntry"
    after = organization.locations.get("prod", "hello")
    assert before is not None
    assert after is not None
    assert after.metadata_timestamp > before.metadata_timestamp, "a new timestamp is what the agent reloads for"
    assert next_request(organization).api == "CHECK_FOR_WORKSPACE_UPDATES"


@pytest.mark.usefixtures("hello")
def test_definitions_that_are_gone_from_disk_are_their_locations_error_only(
    runtime: LoadedRuntime, organization: Organization, tmp_path: Path
) -> None:
    other = {**DOCUMENT, "location_name": "other"}
    organization.locations.put("prod", other, runtime.deploy_metadata(other, {}))
    shutil.rmtree(tmp_path / "blobs")
    uploaded = organization.locations.get("prod", "hello")
    assert uploaded is not None
    assert uploaded.manifest is not None
    organization.locations.record_loaded("prod", "hello", uploaded.manifest)  # a daemon may have built it before
    entries = runtime.of("prod").workspace.current().code_location_entries
    assert entries["hello"].load_error is not None
    assert "blob://repository" in entries["hello"].load_error.message
    assert entries["other"].load_error is None, "one broken location must not take the UI down"


@pytest.mark.usefixtures("hello")
def test_the_workspace_is_built_anew_only_when_a_location_changes(
    runtime: LoadedRuntime, organization: Organization
) -> None:
    first = runtime.of("prod").workspace.current()
    assert runtime.of("prod").workspace.current() is first, "its asset graph is costly"
    organization.locations.delete("prod", "hello")
    assert runtime.of("prod").workspace.current().code_location_entries == {}


def test_a_changed_location_is_announced_to_its_queue(runtime: LoadedRuntime, organization: Organization) -> None:
    organization.locations.put("prod", DOCUMENT, runtime.deploy_metadata(DOCUMENT, {}))
    runtime.location_changed("prod", "hello")
    assert next_request(organization, "special").api == "CHECK_FOR_WORKSPACE_UPDATES"
    runtime.location_changed("prod", "deleted")
    assert next_request(organization, None).api == "CHECK_FOR_WORKSPACE_UPDATES"


def test_daemons_run_without_telemetry_and_end_with_the_runtime(runtime: LoadedRuntime) -> None:
    def running() -> set[str]:
        return {thread.name for thread in threading.enumerate()}

    daemons = {f"dagster-{kind.lower()}" for kind in runtime.of("prod").instance.get_required_daemon_types()}
    assert {"dagster-scheduler", "dagster-sensor", "dagster-asset", "dagster-monitoring"} <= daemons
    assert daemons <= running()
    assert "telemetry-upload" not in running(), "Dagster's own loop would upload what other processes left"
    runtime.close()
    assert not daemons & running()


def test_the_fields_of_dagsters_own_schema_are_known(runtime: LoadedRuntime) -> None:
    assert "runsOrError" in runtime.oss_root_fields["query"]
    assert "launchRun" in runtime.oss_root_fields["mutation"]
    assert "pipelineRunLogs" in runtime.oss_root_fields["subscription"]


def test_a_document_of_dagsters_schema_that_is_wrong_is_answered_with_errors(runtime: LoadedRuntime) -> None:
    assert "nosuchfield" in json.dumps(runtime.execute_oss("prod", "{ nosuchfield }", None, None)["errors"])


def test_a_document_is_judged_by_the_clients_own_schema(runtime: LoadedRuntime) -> None:
    assert runtime.validate_document(DOCUMENT) == []
    assert runtime.validate_document({"location_name": "x"}) != [], "without a code source nothing can be loaded"
    wrong = {**DOCUMENT, "container_context": {"ecs": {"nonsense": 1}}}
    assert "nonsense" in " ".join(runtime.validate_document(wrong))


def test_a_document_becomes_what_agents_get(runtime: LoadedRuntime) -> None:
    document = {
        **DOCUMENT,
        "image": "hello@sha256:0",
        "git": {"commit_hash": "abc", "url": "https://example.com"},
        "container_context": {"ecs": {"env_vars": ["A=1"]}},
        "pex_metadata": {"pex_tag": "deps.pex:source.pex"},
    }
    environment = {"DAGSTER_CLOUD_DEPLOYMENT_NAME": "prod"}
    data = deserialize_value(runtime.deploy_metadata(document, environment), CodeLocationDeployData)
    assert (data.image, data.module_name, data.agent_queue) == ("hello@sha256:0", "hello", "special")
    assert data.container_context == {"ecs": {"env_vars": ["A=1"]}}
    assert data.git_metadata is not None
    assert data.git_metadata.commit_hash == "abc"
    assert data.cloud_context_env == environment


def test_a_heartbeat_is_read_with_its_code_servers_and_their_errors(runtime: LoadedRuntime) -> None:
    error = SerializableErrorInfo("boom", ["line\n"], "ValueError", SerializableErrorInfo("why", [], None))
    failed = CloudCodeServerHeartbeat("hello", CloudCodeServerStatus.FAILED, error)
    told: dict[str, Any] = {"metadata": {"version": "1"}, "code_server_heartbeats": [failed]}
    beat = AgentHeartbeat(1.0, "id", "label", "ProcessUserCodeLauncher", **told)
    view = runtime.read_heartbeat(serialize_value(beat))
    assert (view.agent_id, view.agent_label, view.metadata["version"]) == ("id", "label", "1")
    server = view.code_servers[0]
    assert (server.location_name, server.status) == ("hello", "FAILED")
    assert server.error is not None
    assert server.error.cause is not None
    assert server.error.cause.message == "why"


def test_an_error_is_read_with_and_without_its_time(runtime: LoadedRuntime) -> None:
    error = SerializableErrorInfo("boom", [], "ValueError")
    assert runtime.read_error(serialize_value(error)).message == "boom"
    assert runtime.read_error(serialize_value(TimestampedError(timestamp=1.0, error=error))).class_name == "ValueError"


def test_folders_of_a_version_with_one_deployment_are_the_first_deployments(
    tmp_path: Path, organization: Organization, made_storages: Path
) -> None:
    shutil.copytree(made_storages, tmp_path / "storage")
    former = open_storages(tmp_path / "storage")
    former.runs.add_run(DagsterRun(job_name="job", run_id="before", status=DagsterRunStatus.SUCCESS))
    former.dispose()
    (tmp_path / "compute_logs").mkdir()
    (tmp_path / "compute_logs" / "kept").write_text("output")
    loaded = Runtime.load(tmp_path, organization, Signer(tmp_path / "presigning-key"))
    try:
        assert loaded.of("prod").instance.get_run_by_id("before") is not None, "its runs are found"
        assert not (tmp_path / "storage").exists()
        moved = tmp_path / "deployments" / str(organization.deployment.id) / "compute_logs" / "kept"
        assert moved.read_text() == "output"
    finally:
        loaded.close()


def test_each_deployment_has_storages_and_a_page_of_its_own_and_loses_them_when_deleted(
    runtime: LoadedRuntime, organization: Organization, tmp_path: Path
) -> None:
    staging = organization.deployments.create("staging")
    runtime.of("staging").instance.run_storage.add_run(
        DagsterRun(job_name="job", run_id="there", status=DagsterRunStatus.SUCCESS)
    )
    assert runtime.of("prod").instance.get_run_by_id("there") is None
    asked = '{ runOrError(runId: "there") { __typename } }'
    assert runtime.execute_oss("staging", asked, None, None)["data"]["runOrError"]["__typename"] == "Run"
    assert runtime.execute_oss("prod", asked, None, None)["data"]["runOrError"]["__typename"] == "RunNotFoundError"
    page = TestClient(cast(Any, runtime.web("staging"))).get("/overview").text
    assert 'pathPrefix": "/staging"' in page, "its links have to stay below its name"
    organization.deployments.delete(staging.id)
    assert not (tmp_path / "deployments" / str(staging.id)).exists()
    with pytest.raises(LookupError):
        runtime.of("staging")
