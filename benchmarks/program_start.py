"""How long the program of a stack takes from the start of its process to the first resource that the engine hears of.

Pulumi's own executor runs it, against a monitor that answers for the stack itself and stops the clock at what comes
next. The peer that says something of the program is the smallest one with the same SDK.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import threading
import time
from concurrent import futures
from pathlib import Path
from typing import Any, Final

import grpc
import yaml
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, resource_pb2, resource_pb2_grpc

from benchmarks.figure import Figure
from benchmarks.organization_stack import STACK, OrganizationStack
from hybrid.engine.backend import PROJECT
from hybrid.toolchain import ensure_pulumi
from tests.emulated.checkout import REPOSITORY

LIMIT: Final = 3.0
"""Seconds; what the start may take at most."""
ROUNDS: Final = 5
_PATIENCE: Final = 60  # seconds
_URN: Final = f"urn:pulumi:{STACK}::{PROJECT}::pulumi:pulumi:Stack::{PROJECT}-{STACK}"


class _Monitor(resource_pb2_grpc.ResourceMonitorServicer, engine_pb2_grpc.EngineServicer):
    """The engine, as far as a program sees it before its first resource."""

    def __init__(self) -> None:
        self.heard = threading.Event()
        self.at = 0.0
        self.said: list[str] = []

    def SupportsFeature(self, request: Any, context: grpc.ServicerContext) -> Any:
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in ("secrets", "outputValues"))

    def RegisterResource(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.type != "pulumi:pulumi:Stack":
            if not self.heard.is_set():
                self.at = time.monotonic()
                self.heard.set()
            context.abort(grpc.StatusCode.CANCELLED, "the measurement is over")
        return resource_pb2.RegisterResourceResponse(urn=_URN)

    def RegisterResourceOutputs(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def Log(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.said.append(request.message)
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any, context: grpc.ServicerContext) -> Any:
        return engine_pb2.GetRootResourceResponse(urn=_URN)

    def SetRootResource(self, request: Any, context: grpc.ServicerContext) -> Any:
        return engine_pb2.SetRootResourceResponse()


def measure(stack: OrganizationStack, platform: str, sdk: str, smallest: str) -> list[Figure]:
    """Seconds until the first resource, beside the limit and beside ``smallest``, a program of one provider of
    ``sdk``."""
    folder = stack.state.parent / "smallest"
    folder.mkdir()
    (folder / "__main__.py").write_text(smallest, encoding="utf-8")
    ours, peer = [], []
    for _ in range(ROUNDS):
        ours.append(_seconds(stack, stack.checkout.root / "stacks"))
        peer.append(_seconds(stack, folder))
    middle = statistics.median(ours)
    return [
        Figure(f"program's start to its first resource, {platform} (the peer is the limit)", "s", middle, LIMIT),
        Figure(f"the same / a program of one provider of {sdk}", "s", middle, statistics.median(peer)),
    ]


def _seconds(stack: OrganizationStack, program: Path) -> float:
    """Raises ``RuntimeError`` with what the program said when it ends without a resource."""
    monitor = _Monitor()
    server = grpc.server(futures.ThreadPoolExecutor(8))
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
    engine_pb2_grpc.add_EngineServicer_to_server(monitor, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    began = time.monotonic()
    process = subprocess.Popen(
        [*stack.wrapper, *_command(address, program)],
        env={**stack.environment, "PULUMI_CONFIG": json.dumps(_configuration(stack))},
        cwd=stack.checkout.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        if not monitor.heard.wait(_PATIENCE):
            raise RuntimeError(f"{program} declared nothing:\n" + "\n".join(monitor.said))
    finally:
        process.kill()
        process.wait()
        server.stop(grace=None).wait()
    return monitor.at - began


def _command(address: str, program: Path) -> list[str]:
    executor = ensure_pulumi(lambda text: None).bin_folder / "pulumi-language-python-exec"
    place = ["--monitor", address, "--engine", address, "--project", PROJECT, "--stack", STACK]
    said = ["--organization", "organization", "--parallel", str(4 * (os.cpu_count() or 1)), "--dry_run", "true"]
    return [str(REPOSITORY / ".venv" / "bin" / "python"), str(executor), *place, *said, "--pwd", str(program), "."]


def _configuration(stack: OrganizationStack) -> dict[str, str]:
    """The stack's settings as the engine hands them over: texts, JSON where they have parts."""
    config = yaml.safe_load((stack.checkout.root / "stacks" / f"Pulumi.{STACK}.yaml").read_text())["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
