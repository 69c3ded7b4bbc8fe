"""Storage operations from eight clients: the embedded Dagster+ beside a plain Dagster instance on SQLite behind its
own webserver, the same GraphQL calls on both. Clients are one process each, so that they do not wait for each other."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil

from benchmarks.figure import Figure
from tests.emulated.checkout import free_port, until

CLIENTS = 8
CALLS = 40
ROUNDS = 3
ASSETS = 5

STORE = """mutation Store($params: ReportRunlessAssetEventsParams!) {
  reportRunlessAssetEvents(eventParams: $params) { __typename }
}"""
READ_EVENTS = """query Read($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) { __typename }
  assetOrError(assetKey: $key) { ... on Asset { assetMaterializations(limit: 20) { timestamp runId } } }
}"""
READ_RUNS = "query Runs { runsOrError(limit: 20) { ... on Runs { results { runId status } } } }"


def measure() -> list[Figure]:
    """Calls a second by operation, and the emulator's memory when it idles."""
    with tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder:
        emulator, url, token, memory = _emulator(Path(folder))
        plain, plain_url = _plain(Path(folder) / "plain")
        try:
            figures = [
                _figure("events stored", url, token, plain_url, STORE, _store),
                _figure("an asset's events read", url, token, plain_url, READ_EVENTS, _read),
                _figure("runs listed", url, token, plain_url, READ_RUNS, lambda client, call: {}),
            ]
        finally:
            for process in (emulator, plain):
                process.terminate()
                process.wait()
    return [
        *figures,
        Figure("embedded Dagster+ idle (RSS; the peer is the limit that it must keep)", "MB", memory, 200),
    ]


def _store(client: int, call: int) -> dict[str, object]:
    key = {"path": [f"asset{client % ASSETS}"]}
    params = {
        "eventType": "ASSET_MATERIALIZATION",
        "assetKey": key,
        "partitionKeys": [],
        "description": f"{client}/{call}",
    }
    return {"params": params}


def _read(client: int, call: int) -> dict[str, object]:
    return {"key": {"path": [f"asset{client % ASSETS}"]}}


def _figure(what: str, url: str, token: str, plain: str, query: str, variables: object) -> Figure:
    ours, peer = [], []
    for _ in range(ROUNDS):
        ours.append(_rate(url, token, query, variables))
        peer.append(_rate(plain, "", query, variables))
    # fewer seconds a call are better, as everywhere on this page
    per_call = [1000 / statistics.median(rates) for rates in (ours, peer)]
    return Figure(f"{what}, {CLIENTS} clients, a call", "ms", *per_call)


def _rate(url: str, token: str, query: str, variables: object) -> float:
    bodies = [
        [json.dumps({"query": query, "variables": variables(client, call)}) for call in range(CALLS)]  # type: ignore[operator]
        for client in range(CLIENTS)
    ]
    with ProcessPoolExecutor(CLIENTS) as pool:
        list(pool.map(_warm, range(CLIENTS)))
        began = time.monotonic()
        list(pool.map(_calls, [url] * CLIENTS, [token] * CLIENTS, bodies))
        return CLIENTS * CALLS / (time.monotonic() - began)


def _warm(_: int) -> None:
    import httpx  # noqa: F401 - imported before the clock runs


def _calls(url: str, token: str, bodies: list[str]) -> None:
    import httpx

    headers = {"content-type": "application/json", "dagster-cloud-api-token": token, "dagster-cloud-deployment": "prod"}
    with httpx.Client(timeout=60, headers=headers) as client:
        for body in bodies:
            answer = client.post(f"{url}/graphql", content=body).json()
            if "errors" in answer:
                raise RuntimeError(str(answer["errors"])[:400])


def _emulator(folder: Path) -> tuple[subprocess.Popen[bytes], str, str, float]:
    port, data = free_port(), folder / "emulator"
    process = subprocess.Popen(
        [sys.executable, "-m", "hybrid.emulator", "--data", str(data), "--port", str(port)], stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    until((data / "api-token").exists, seconds=30, what="the emulator has made its token")
    token = (data / "api-token").read_text().strip()
    until(lambda: _answers(url, token), seconds=60, what="the emulator answers for Dagster")
    return process, url, token, psutil.Process(process.pid).memory_info().rss / 1e6


def _plain(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    folder.mkdir()
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (folder / "empty.py").write_text("import dagster as dg\n\ndefs = dg.Definitions()\n")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster_webserver", "-f", str(folder / "empty.py"), "-p", str(port), "-h", "127.0.0.1"],
        env={**os.environ, "DAGSTER_HOME": str(folder)},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    until(lambda: _answers(url, ""), seconds=90, what="the plain webserver answers")
    return process, url


def _answers(url: str, token: str) -> bool:
    request = urllib.request.Request(  # noqa: S310 - an address of our own
        f"{url}/graphql",
        data=json.dumps({"query": READ_RUNS}).encode(),
        headers={"content-type": "application/json", "dagster-cloud-api-token": token},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return "data" in json.loads(answer.read())
    except OSError:
        return False
