"""Dagster's own GraphQL of a standing stack, asked over HTTP as the UI asks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from tests.emulated.checkout import Checkout, until

LOCATIONS = Path(__file__).with_name("locations")
FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}

_LAUNCH = """mutation LaunchPipelineExecution($executionParams: ExecutionParams!) {
  launchPipelineExecution(executionParams: $executionParams) { __typename
    ... on LaunchRunSuccess { run { runId } } ... on Error { message }
    ... on RunConfigValidationInvalid { errors { message } } } }"""

_RUN = """query Run($runId: ID!) { runOrError(runId: $runId) { __typename ... on Error { message } ... on Run {
  runId status parentRunId rootRunId tags { key value } stepStats { stepKey status attempts { startTime } } } } }"""

_EVENTS = """query Events($runId: ID!) { logsForRun(runId: $runId) { __typename ... on Error { message }
  ... on EventConnection { events { __typename ... on MessageEvent { message eventType stepKey }
    ... on LogsCapturedEvent { logKey: fileKey } } } } }"""

_RUNS = """query Runs($filter: RunsFilter) { runsOrError(filter: $filter) { __typename ... on Error { message }
  ... on Runs { results { runId status tags { key value } } } } }"""

_ASSET = """query Asset($key: AssetKeyInput!) { assetOrError(assetKey: $key) { __typename ... on Asset {
  assetMaterializations { partition runId metadataEntries { label __typename
    ... on TextMetadataEntry { text } ... on IntMetadataEntry { intValue } } } } } }"""


class DagsterApi:
    """Asks ``checkout``'s deployment. Every answer with errors fails the test with them."""

    def __init__(self, checkout: Checkout, stack: str = "local") -> None:
        self.root = f"http://127.0.0.1:{checkout.port}"
        token = (checkout.root / ".hybrid/stacks" / stack / "emulator/api-token").read_text().strip()
        headers = {"Dagster-Cloud-Api-Token": token, "Dagster-Cloud-Deployment": "prod"}
        self.http = httpx.Client(base_url=self.root, headers=headers, timeout=90)

    def ask(self, document: str, **variables: Any) -> Any:
        answer = self.http.post("/graphql", json={"query": document, "variables": variables}).json()
        assert not answer.get("errors"), answer
        return answer["data"]

    def one(self, document: str, **variables: Any) -> Any:
        """The value of the document's only field."""
        (value,) = self.ask(document, **variables).values()
        return value

    def launch(
        self,
        location: str,
        job: str,
        *,
        assets: tuple[str, ...] = (),
        config: object = None,
        **tags: str,
    ) -> str:
        """Launch a job, or ``assets`` of the implicit asset job; the run's id. ``__`` in a tag's name is ``/``."""
        selector: dict[str, Any] = {
            "repositoryLocationName": location,
            "repositoryName": "__repository__",
            "jobName": job,
        }
        if assets:
            selector["assetSelection"] = [{"path": [asset]} for asset in assets]
        marked = [{"key": key.replace("__", "/"), "value": value} for key, value in tags.items()]
        answer = self.one(
            _LAUNCH,
            executionParams={
                "selector": selector,
                "runConfigData": config or {},
                "mode": "default",
                "executionMetadata": {"tags": marked},
            },
        )
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def materialize(self, location: str, *assets: str, **tags: str) -> str:
        return self.launch(location, "__ASSET_JOB", assets=assets, **tags)

    def run(self, run_id: str) -> Any:
        found = self.one(_RUN, runId=run_id)
        assert found["__typename"] == "Run", found
        return {**found, "tags": {tag["key"]: tag["value"] for tag in found["tags"]}}

    def status(self, run_id: str) -> str:
        return str(self.run(run_id)["status"])

    def ended(self, run_id: str, *, seconds: float = 90) -> str:
        """The status in which a run ends; waited for."""
        until(lambda: self.status(run_id) in FINISHED, seconds=seconds, what=f"the run {run_id} has ended")
        return self.status(run_id)

    def succeed(self, *run_ids: str) -> None:
        for run_id in run_ids:
            assert self.ended(run_id) == "SUCCESS", "\n".join(self.messages(run_id)[-10:])

    def events(self, run_id: str) -> list[Any]:
        return list(self.one(_EVENTS, runId=run_id)["events"])

    def messages(self, run_id: str) -> list[str]:
        return [event["message"] for event in self.events(run_id) if event.get("message")]

    def runs(self, **tags: str) -> list[Any]:
        """Runs that have all ``tags``; ``__`` in a tag's name is ``/``."""
        wanted = [{"key": key.replace("__", "/"), "value": value} for key, value in tags.items()]
        return list(self.one(_RUNS, filter={"tags": wanted})["results"])

    def materializations(self, *asset: str) -> list[Any]:
        """Of the asset of this key, the newest first: ``partition``, ``runId``, ``metadata``."""
        found = self.one(_ASSET, key={"path": list(asset)})
        return [
            {
                **event,
                "metadata": {
                    entry["label"]: entry.get("text", entry.get("intValue")) for entry in event["metadataEntries"]
                },
            }
            for event in found.get("assetMaterializations", [])
        ]


def location_code(name: str) -> str:
    return (LOCATIONS / f"{name}.py").read_text(encoding="utf-8")
