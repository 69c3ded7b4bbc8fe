"""Uploads of definitions, answers, events and logs: the good are kept, the hostile refused.

The endpoints are the real ones under Starlette's test client; the agent's side is written out as the client's source
does it. Cannot prove that a real agent gets through: tests of tier ``emulated`` do.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import Definitions, job, op
from dagster._core.definitions.selector import JobSelector
from dagster._core.remote_representation.external_data import JobDataSnap, RepositorySnap
from dagster._serdes import deserialize_value, pack_value, serialize_value, unpack_value
from dagster_cloud.api.dagster_cloud_api import (
    BatchDagsterCloudUploadApiResponse,
    CheckSnapshotResult,
    ConfirmUploadResult,
    DagsterCloudApi,
    DagsterCloudApiErrorResponse,
    DagsterCloudApiGrpcResponse,
    DagsterCloudCodeLocationManifest,
    DagsterCloudCodeLocationUpdateResponse,
    DagsterCloudCodeLocationUpdateResult,
    DagsterCloudRepositoryManifest,
    DagsterCloudUploadApiResponse,
    DagsterCloudUploadLocationData,
    DagsterCloudUploadRepositoryData,
    DagsterCloudUploadWorkspaceEntry,
    DagsterCloudUploadWorkspaceResponse,
    StoredSnapshot,
    StoreEventBatchRequest,
)
from dagster_cloud_cli.core.workspace import CodeLocationDeployData
from dagster_shared.error import SerializableErrorInfo
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from hybrid.emulator.organization import Organization
from hybrid.emulator.presigned import Signer
from hybrid.emulator.runtime import Runtime
from hybrid.emulator.runtime.loaded import LoadedRuntime
from hybrid.emulator.runtime.uploads.body import MAX_BYTES, RefusedUpload, file_part, unpack_text

pytestmark = pytest.mark.unit
DOCUMENT = {"location_name": "hello", "code_source": {"module_name": "hello"}}


@op
def greet() -> None: ...


@job
def greeting() -> None:
    greet()


def repository() -> tuple[str, list[str]]:
    """A repository's serialized definitions with deferred jobs, and its jobs' serialized data."""
    definitions = Definitions(jobs=[greeting]).get_repository_def()
    snap = RepositorySnap.from_def(definitions, defer_snapshots=True)
    jobs = [JobDataSnap.from_job_def(one, include_parent_snapshot=False) for one in definitions.get_all_jobs()]
    return serialize_value(snap), [serialize_value(one) for one in jobs]


class Agent:
    """The agent's side of an upload."""

    def __init__(self, runtime: LoadedRuntime, organization: Organization) -> None:
        routed = Starlette(routes=list(runtime.routes))

        async def admitted(scope: Any, receive: Any, send: Any) -> None:
            await routed({**scope, "deployment": organization.deployment}, receive, send)

        self.client = TestClient(admitted)
        self.locations = organization.locations
        metadata = runtime.deploy_metadata(DOCUMENT, {})
        self.locations.put("prod", DOCUMENT, metadata)
        self.deployed = deserialize_value(metadata, CodeLocationDeployData)

    def snapshot(self, kind: str, text: str) -> StoredSnapshot:
        sha1 = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        query = {"type": kind, "sha1": sha1, "size": len(text), "formats": ["json.gz", "json"]}
        checked = unpack_value(self.client.get("/check_snapshot", params=query).json(), CheckSnapshotResult)
        if checked.stored_snapshot:
            return checked.stored_snapshot
        assert checked.upload_data is not None
        put = self.client.put(checked.upload_data.presigned_put_url, content=zlib.compress(text.encode()))
        assert put.status_code == 200, put.text
        confirmed = self.client.put("/confirm_upload", json=pack_value(checked.upload_data))
        return unpack_value(confirmed.json(), ConfirmUploadResult).stored_snapshot

    def manifest(self, stored: StoredSnapshot) -> DagsterCloudCodeLocationManifest:
        return DagsterCloudCodeLocationManifest(
            repositories=[
                DagsterCloudRepositoryManifest(name="__repository__", code_pointer=_pointer(), stored_snapshot=stored)
            ],
            container_image="image:1",
            executable_path=None,
            dagster_library_versions={"dagster": "1"},
            code_location_deploy_data=self.deployed,
        )

    def result(self, **outcome: Any) -> DagsterCloudCodeLocationUpdateResponse:
        result = DagsterCloudCodeLocationUpdateResult(
            **{"location_name": "hello", "manifest": None, "error_snapshot": None, **outcome}
        )
        response = self.client.put("/code_location_update_result", json=pack_value(result))
        assert response.status_code == 200, response.text
        return unpack_value(response.json(), DagsterCloudCodeLocationUpdateResponse)

    def upload(self) -> None:
        """A whole direct upload."""
        definitions, jobs = repository()
        manifest = self.manifest(self.snapshot("repository", definitions))
        for data in jobs:
            self.snapshot("job", serialize_value(deserialize_value(data, JobDataSnap).job))
        assert self.result(manifest=manifest).updated


def _pointer() -> Any:
    from dagster._core.code_pointer import ModuleCodePointer

    return ModuleCodePointer("hello", "defs")


@pytest.fixture
def agent(runtime: LoadedRuntime, organization: Organization) -> Agent:
    return Agent(runtime, organization)


def entries(runtime: LoadedRuntime) -> dict[str, Any]:
    query = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus locationOrLoadError { __typename ... on RepositoryLocation { repositories { pipelines { name } } } ... on PythonError { message } } } } } }"  # noqa: E501
    answer = runtime.execute_oss("prod", query, None, None)
    return {entry["name"]: entry for entry in answer["data"]["workspaceOrError"]["locationEntries"]}


def test_a_location_is_loaded_when_its_definitions_and_jobs_are_there(agent: Agent, runtime: LoadedRuntime) -> None:
    assert entries(runtime)["hello"]["loadStatus"] == "LOADING"
    definitions, jobs = repository()
    manifest = agent.manifest(agent.snapshot("repository", definitions))
    first = agent.result(manifest=manifest)
    missing = JobSelector(location_name="hello", repository_name="__repository__", job_name="greeting")
    assert not first.updated
    assert missing in (first.missing_job_snapshots or ()), "the agent uploads what is named here"
    assert entries(runtime)["hello"]["loadStatus"] == "LOADING", "half a location is not loaded"
    for data in jobs:
        agent.snapshot("job", serialize_value(deserialize_value(data, JobDataSnap).job))
    assert agent.result(manifest=manifest).updated
    loaded = entries(runtime)["hello"]
    assert loaded["loadStatus"] == "LOADED"
    names = [one["name"] for one in loaded["locationOrLoadError"]["repositories"][0]["pipelines"]]
    assert "greeting" in names


def test_the_legacy_upload_in_one_piece_ends_the_same(agent: Agent, runtime: LoadedRuntime) -> None:
    definitions, jobs = repository()
    entry = DagsterCloudUploadWorkspaceEntry(
        location_name="hello",
        code_location_deploy_data=agent.deployed,
        upload_location_data=DagsterCloudUploadLocationData(
            upload_repository_datas=[
                DagsterCloudUploadRepositoryData(
                    repository_name="__repository__", code_pointer=_pointer(), serialized_repository_data=definitions
                )
            ],
            container_image=None,
            executable_path=None,
        ),
        serialized_error_info=None,
    )

    def send() -> DagsterCloudUploadWorkspaceResponse:
        files = {"workspace_entry.tmp": zlib.compress(serialize_value(entry).encode())}
        response = agent.client.put("/upload_workspace_entry", files=files)
        return deserialize_value(response.text, DagsterCloudUploadWorkspaceResponse)

    assert not send().updated
    for data in jobs:
        files = {"job.tmp": zlib.compress(data.encode())}
        assert agent.client.put("/upload_job_snapshot", files=files).status_code == 200
    assert send().updated
    assert entries(runtime)["hello"]["locationOrLoadError"]["__typename"] == "RepositoryLocation"


def test_an_error_is_shown_under_its_location(agent: Agent, runtime: LoadedRuntime) -> None:
    error = SerializableErrorInfo("No module named 'x'", ["line 1\n"], "ImportError")
    agent.result(error_snapshot=agent.snapshot("error", serialize_value(error)))
    shown = entries(runtime)["hello"]
    assert shown["loadStatus"] == "LOADED"
    assert "No module named 'x'" in shown["locationOrLoadError"]["message"]


def test_a_restart_finds_the_workspace_without_an_upload(
    agent: Agent, runtime: LoadedRuntime, organization: Organization, tmp_path: Path
) -> None:
    agent.upload()
    runtime.close()
    restarted = Runtime.load(tmp_path, organization, Signer(tmp_path / "presigning-key"))
    try:
        assert entries(restarted)["hello"]["locationOrLoadError"]["__typename"] == "RepositoryLocation"
    finally:
        restarted.close()


def test_an_upload_of_what_is_no_longer_deployed_does_not_count(agent: Agent, runtime: LoadedRuntime) -> None:
    newer = {**DOCUMENT, "image": "image:2"}
    agent.locations.put("prod", newer, runtime.deploy_metadata(newer, {}))
    agent.upload()
    record = agent.locations.get("prod", "hello")
    assert record is not None
    assert record.outdated, "the agent has still to load what was deployed meanwhile"


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        {"type": "repository", "sha1": "../../../etc/passwd", "formats": "json"},
        {"type": "../job", "sha1": "0" * 40, "formats": "json"},
        {"type": "job", "sha1": "0" * 39, "formats": "json"},
        {"type": "job", "sha1": "0" * 40, "formats": "pickle"},
        {"type": "job", "sha1": "0" * 40},
        {},
    ],
)
def test_a_snapshot_that_cannot_be_one_is_refused(agent: Agent, query: dict[str, str]) -> None:
    assert agent.client.get("/check_snapshot", params=query).status_code == 400


def presigned(agent: Agent, text: str) -> str:
    sha1 = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    query = {"type": "job", "sha1": sha1, "formats": "json.gz"}
    checked = unpack_value(agent.client.get("/check_snapshot", params=query).json(), CheckSnapshotResult)
    assert checked.upload_data is not None
    return checked.upload_data.presigned_put_url


def test_a_text_with_another_sha1_than_announced_is_refused(agent: Agent) -> None:
    url = presigned(agent, "announced")
    assert agent.client.put(url, content=zlib.compress(b"other")).status_code == 400
    assert agent.client.put(url, content=b"not zlib").status_code == 400


def test_a_url_that_was_not_given_out_is_refused(agent: Agent) -> None:
    url = presigned(agent, "text")
    body = zlib.compress(b"text")
    changed = url.replace("type=job", "type=error")
    assert agent.client.put(changed, content=body).status_code == 403
    assert agent.client.put(url.split("?")[0], content=body).status_code == 403
    assert agent.client.put(url, content=body).status_code == 200


def test_a_body_that_unpacks_to_too_much_is_refused() -> None:
    bomb = zlib.compress(b"\0" * 2_000_000)
    with pytest.raises(RefusedUpload) as refused:
        unpack_text(bomb, limit=1_000_000)
    assert refused.value.status == 413


def test_a_body_that_is_too_large_is_refused_before_it_is_read(agent: Agent) -> None:
    headers = {"content-length": str(MAX_BYTES + 1)}
    assert agent.client.put("/confirm_upload", content=b"{}", headers=headers).status_code == 413


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b'{"__class__": "Unknown"}', b"\xff\xfe", b"[" * 5000])
@pytest.mark.parametrize("path", ["/confirm_upload", "/code_location_update_result"])
def test_a_malformed_body_is_refused_not_a_fault(agent: Agent, path: str, body: bytes) -> None:
    assert agent.client.put(path, content=body).status_code == 400


@pytest.mark.parametrize("path", ["/upload_workspace_entry", "/upload_job_snapshot", "/upload_api_response"])
def test_a_malformed_part_is_refused_not_a_fault(agent: Agent, path: str) -> None:
    assert agent.client.put(path, content=b"x").status_code == 400
    parts = ("workspace_entry.tmp", "job.tmp", "api_response.tmp")
    files = {name: zlib.compress(b'{"__class__": "JobSelector"}') for name in parts}
    assert agent.client.put(path, files=files).status_code == 400


def test_a_manifest_of_snapshots_that_were_not_uploaded_is_refused(agent: Agent) -> None:
    stored = StoredSnapshot(sha1="0" * 40, format="json", uri="blob://repository/" + "0" * 40, decompressed_size=1)
    result = DagsterCloudCodeLocationUpdateResult(
        location_name="hello", manifest=agent.manifest(stored), error_snapshot=None
    )
    response = agent.client.put("/code_location_update_result", json=pack_value(result))
    assert response.status_code == 400


@given(st.binary(max_size=300), st.text(max_size=60))
def test_no_multipart_body_is_a_fault(body: bytes, boundary: str) -> None:
    with contextlib.suppress(RefusedUpload):
        assert isinstance(file_part(f"multipart/form-data; boundary={boundary}", body, "job.tmp"), bytes)


@given(st.binary(max_size=2_000))
def test_a_part_comes_out_as_it_went_in(content: bytes) -> None:
    head = b'--b0\r\nContent-Disposition: form-data; name="job.tmp"; filename="job.tmp"\r\n\r\n'
    if b"\r\n--b0" not in content:
        assert file_part("multipart/form-data; boundary=b0", head + content + b"\r\n--b0--\r\n", "job.tmp") == content


# -- answers, events, logs -----------------------------------------------------------------------------------------


def answer(request_id: str, response: Any, api: str = "PING_LOCATION") -> DagsterCloudUploadApiResponse:
    return DagsterCloudUploadApiResponse(request_id=request_id, request_api=api, response=response)


@pytest.mark.parametrize("batched", [False, True])
def test_an_answer_reaches_who_waits_for_it(agent: Agent, organization: Organization, batched: bool) -> None:
    organization.requests.submit("prod", "PING_LOCATION", "1", "body")
    sent = answer("1", DagsterCloudApiGrpcResponse(serialized_response_or_error="said"))
    part, value = ("api_response.tmp", serialize_value(sent))
    if batched:
        part, value = "api_response_batch.tmp", serialize_value(BatchDagsterCloudUploadApiResponse(batch=[sent]))
    response = agent.client.put("/upload_api_response", files={part: zlib.compress(value.encode())})
    assert response.status_code == 200
    assert json.loads(organization.requests.wait("1", 1.0))["serialized_response_or_error"] == "said"


def test_events_over_rest_are_stored_once_for_their_key(agent: Agent, runtime: LoadedRuntime, make_event: Any) -> None:
    batch = serialize_value(StoreEventBatchRequest(event_log_entries=[make_event("run", "a"), make_event("run", "b")]))
    for _ in range(2):
        response = agent.client.post(
            "/store_events",
            files={"store_events.tmp": zlib.compress(batch.encode())},
            headers={"idempotency-KEY": "key"},
        )
        assert response.json() == {}, "the client reads JSON"
    assert len(runtime.of("prod").storages.events.get_records_for_run("run").records) == 2


def test_captured_output_is_read_back_by_the_ui(agent: Agent, runtime: LoadedRuntime) -> None:
    for kind, text in (("stdout", b"out"), ("stderr", b"err")):
        query = {"log_key": ["run", "compute_logs", "step"], "io_type": kind, "size_bytes": 3}
        url = agent.client.get("/gen_logs_url", params=query).json()["url"]
        assert agent.client.put(url, content=text).status_code == 200
    asked = 'query { capturedLogs(logKey: ["run", "compute_logs", "step"]) { stdout stderr } }'
    shown = runtime.execute_oss("prod", asked, None, None)
    assert shown["data"]["capturedLogs"] == {"stdout": "out", "stderr": "err"}


def test_the_last_part_is_shown_until_the_whole_output_is_there(agent: Agent, runtime: LoadedRuntime) -> None:
    def send(text: bytes, **more: str) -> None:
        query = {"log_key": ["run", "step"], "io_type": "stdout", **more}
        agent.client.put(agent.client.get("/gen_logs_url", params=query).json()["url"], content=text)

    def shown() -> bytes | None:
        return runtime.of("prod").instance.compute_log_manager.get_log_data(["run", "step"]).stdout

    send(b"so far", partial="True")
    assert shown() == b"so far"
    send(b"so far, and the rest")
    assert shown() == b"so far, and the rest"


@pytest.mark.parametrize("log_key", [[], [".."], ["run", "../../x"], ["run", ""], ["/etc", "x"]])
def test_a_log_key_that_leads_elsewhere_is_refused(agent: Agent, log_key: list[str]) -> None:
    response = agent.client.get("/gen_logs_url", params={"log_key": log_key, "io_type": "stdout"})
    assert response.status_code == 400


def test_a_run_that_the_agent_cannot_launch_has_failed(agent: Agent, runtime: LoadedRuntime) -> None:
    from dagster import DagsterRun, DagsterRunStatus

    runtime.of("prod").instance.run_storage.add_run(
        DagsterRun(job_name="job", run_id="run", status=DagsterRunStatus.STARTING)
    )
    error = DagsterCloudApiErrorResponse(error_infos=[SerializableErrorInfo("no such image", [], None)])
    value = serialize_value(answer("launch:run:1", error, DagsterCloudApi.LAUNCH_RUN.value))
    agent.client.put("/upload_api_response", files={"api_response.tmp": zlib.compress(value.encode())})
    run = runtime.of("prod").instance.get_run_by_id("run")
    assert run is not None
    assert run.status == DagsterRunStatus.FAILURE, "nobody else would end it"


@pytest.fixture(autouse=True)
def _no_temporary_files_left(tmp_path: Path) -> Iterator[None]:
    yield
    assert not list(tmp_path.rglob(".draft-*")), "half-written files stay behind"
