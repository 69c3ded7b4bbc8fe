"""From nothing running to RUNNING and loaded: `hybrid up` beside the real agent started by hand against a running
emulator, which is the least that any tool could take."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from agent.dagster_yaml import render
from agent.launchers import stock_process_launcher
from agent.spec import LocalAgentSpec
from benchmarks.figure import Figure
from hybrid.delivery.catalog import find_code_locations
from hybrid.delivery.document import location_document
from hybrid.plus import AgentGrants, Endpoint, PlusClient, api_token
from hybrid.workspace import StackFolder
from tests.emulated.checkout import Checkout, until

ROUNDS = 3
LABEL = "by-hand"


def measure(locations: int) -> list[Figure]:
    """Seconds and megabytes with that many locations; rounds alternate so that both meet the same machine."""
    ours, peer = [], []
    memory: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder:
        checkout = Checkout(Path(folder) / "checkout")
        for number in range(locations):
            checkout.location(f"place{number}")
        checkout.up()  # environments are made once; that is not what is measured
        checkout.hybrid("down", "local")
        for _ in range(ROUNDS):
            began = time.monotonic()
            checkout.up()
            ours.append(time.monotonic() - began)
            memory["ours"] = megabytes(checkout)
            checkout.hybrid("down", "local")
            peer.append(_by_hand(checkout, memory))
        checkout.destroy()
    name = f"{locations} location{'s' if locations > 1 else ''}"
    return [
        Figure(f"nothing running → RUNNING and loaded, {name}", "s", statistics.median(ours), statistics.median(peer)),
        Figure(f"memory of all that then runs (RSS), {name}", "MB", memory["ours"], memory["peer"]),
    ]


def megabytes(checkout: Checkout) -> float:
    return sum(process.memory_info().rss for process in checkout.processes()) / 1e6


def _by_hand(checkout: Checkout, memory: dict[str, float]) -> float:
    stack = StackFolder(checkout.root / ".hybrid" / "stacks" / "byhand")
    stack.root.mkdir(parents=True, exist_ok=True)
    emulator = _start(
        checkout,
        [sys.executable, "-m", "hybrid.emulator", "--data", str(stack.emulator), "--port", str(checkout.port)],
    )
    endpoint = Endpoint(url=f"http://127.0.0.1:{checkout.port}", organization="local", deployment="prod")
    until(stack.emulator_token.exists, seconds=30, what="the emulator has made its token")
    with PlusClient(endpoint, api_token({}, stack.emulator_token)) as client:
        made = client.create_agent_token(LABEL)
        client.set_agent_grants(made.id, AgentGrants(deployments=frozenset({"prod"})))
        python = next((checkout.root / ".hybrid" / "environments").glob("*/bin/python"))
        for folder in find_code_locations(checkout.root):
            client.put_location(location_document(folder, executable_path=str(python)))
        client.code_locations()  # the emulator has loaded all of itself
        home = stack.process("agent")
        home.mkdir(parents=True)
        (home / "dagster.yaml").write_text(
            render(
                LocalAgentSpec(),
                stock_process_launcher(LocalAgentSpec()),
                label=LABEL,
                deployment="prod",
                url=endpoint.agent_url,
            )
        )
        assert made.token is not None
        began = time.monotonic()
        agent = _start(
            checkout,
            [str(checkout.root / ".venv/bin/dagster-cloud"), "agent", "run", str(home)],
            DAGSTER_CLOUD_AGENT_TOKEN=made.token.reveal(),
            DAGSTER_CLOUD_AGENT_SLEEP_INTERVAL_SECONDS="0.1",
        )
        until(lambda: _stands(client), seconds=180, what="the agent started by hand is RUNNING")
        took = time.monotonic() - began
    memory["peer"] = megabytes(checkout)
    for process in (agent, emulator):
        process.terminate()
    for process in checkout.processes():
        process.kill()
    psutil.wait_procs(
        [psutil.Process(item.pid) for item in (agent, emulator) if psutil.pid_exists(item.pid)], timeout=9
    )
    subprocess.run(["rm", "-rf", str(stack.root)], check=True)
    return took


def _stands(client: PlusClient) -> bool:
    running = any(agent.status == "RUNNING" for agent in client.agents())
    return running and all(location.is_loaded for location in client.code_locations())


def _start(checkout: Checkout, command: list[str], **more: str) -> subprocess.Popen[bytes]:
    environment = {**checkout.environment, "HYBRID_PROCESS": str(checkout.root), **more}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=os.fspath(checkout.root)
    )
