"""A stack on ECS for measurements: a checkout, AWS (moto), an organization's Dagster+ (the emulator) and a registry
with the image of its one location. No Docker, no task that runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from hybrid.engine import backend
from hybrid.toolchain import ensure_pulumi
from hybrid.workspace import Workspace
from tests.aws.fixtures import official_aws_plugin
from tests.aws.moto_server import ACCOUNT, REGION, Moto
from tests.emulated.checkout import REPOSITORY, Checkout, until
from tests.ports import free_port

STACK: Final = "prod"
_STANDIN: Final = REPOSITORY / "tests" / "standins" / "aws"
_WAITING: Final = ("**::agent-state", "**::ready")
"""The two resources that are left out of an `up` here: they wait for the agent, and moto runs no task."""

_INDEX: Final = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"digest": f"sha256:{'1' * 64}", "platform": {"os": "linux", "architecture": "amd64"}}],
    }
).encode()


class _Registry(BaseHTTPRequestHandler):
    """Any tag is the same image for linux/amd64."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.oci.image.index.v1+json")
        self.send_header("Content-Length", str(len(_INDEX)))
        self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(_INDEX).hexdigest()}")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(_INDEX)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


@dataclass
class EcsStack:
    """The stack ``prod`` in a checkout. Its state is where ``use`` says, so that one checkout serves several."""

    checkout: Checkout
    organization: dict[str, str]
    aws: dict[str, str]
    state: Path

    @property
    def environment(self) -> dict[str, str]:
        """For `pulumi` and `hybrid` alike."""
        pulumi = ensure_pulumi(lambda text: None)
        inherited = {key: value for key, value in self.checkout.environment.items() if not key.startswith("AWS_")}
        plugin = [] if official_aws_plugin(inherited) else [str(_STANDIN)]
        given = {
            **inherited,
            **self.organization,
            **self.aws,
            "PATH": os.pathsep.join([*plugin, inherited.get("PATH", "")]),
            "PULUMI_BACKEND_URL": self.state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "bench",
        }
        return backend.environment(Workspace(self.checkout.root), STACK, pulumi, given)

    def use(self, aws: Moto, state: Path) -> EcsStack:
        """The same stack in another account, with another state."""
        if not state.exists():
            state.mkdir()
            stack = EcsStack(self.checkout, self.organization, aws.environment, state)
            stack.pulumi("stack", "init", STACK)
            return stack
        return EcsStack(self.checkout, self.organization, aws.environment, state)

    def up(self) -> None:
        left_out = [f"--exclude={urn}" for urn in _WAITING]
        self.pulumi("up", "--yes", "--skip-preview", "--stack", STACK, *left_out)

    def preview(self, *arguments: str) -> float:
        """Seconds of a `pulumi preview`."""
        return self._seconds("pulumi", "preview", "--stack", STACK, "--non-interactive", *arguments)

    def hybrid_preview(self) -> float:
        """Seconds of a `hybrid preview`."""
        return self._seconds(str(REPOSITORY / ".venv" / "bin" / "hybrid"), "preview", STACK)

    def resources(self) -> list[dict[str, Any]]:
        """What the state holds."""
        text = (self.state / ".pulumi" / "stacks" / backend.PROJECT / f"{STACK}.json").read_text(encoding="utf-8")
        return list(json.loads(text)["checkpoint"]["latest"]["resources"])

    def pulumi(self, *arguments: str) -> str:
        return self.run("pulumi", *arguments, "--non-interactive")

    def run(self, *command: str, **more: str) -> str:
        """What a command prints. Raises ``RuntimeError`` with its words when it fails."""
        environment = {**self.environment, **more}
        done = subprocess.run(
            command, cwd=self.checkout.root, env=environment, check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _seconds(self, *command: str) -> float:
        began = time.monotonic()
        self.run(*command)
        return time.monotonic() - began


@contextmanager
def ecs_stack(root: Path, locations: int = 1) -> Iterator[EcsStack]:
    """The stack with the default settings and some locations, which are images; nothing of it stands yet."""
    root.mkdir(exist_ok=True)
    registry = ThreadingHTTPServer(("127.0.0.1", 0), _Registry)
    threading.Thread(target=registry.serve_forever, daemon=True).start()
    data, port = root / "organization", free_port()
    command = [sys.executable, "-m", "hybrid.emulator", "--data", str(data), "--port", str(port)]
    emulator = subprocess.Popen([*command, "--organization", "acme", "--deployment", "prod"], stderr=subprocess.DEVNULL)
    try:
        until((data / "api-token").exists, seconds=30, what="the emulator has made its token")
        checkout = Checkout(root / "checkout")
        settings = {
            "organization": "acme",
            "url": f"http://127.0.0.1:{port}",
            "agent": {"kind": "ecs"},
            "aws": {"account": ACCOUNT, "region": REGION},
            "locations": [
                {"name": name, "image": f"127.0.0.1:{registry.server_port}/{name}:1", "moduleName": name}
                for name in ("hello", *(f"further{number}" for number in range(1, locations)))
            ],
        }
        file = checkout.root / "stacks" / f"Pulumi.{STACK}.yaml"
        file.write_text(json.dumps({"config": {f"hybrid:{key}": value for key, value in settings.items()}}))
        token = (data / "api-token").read_text().strip()
        yield EcsStack(checkout, {"DAGSTER_CLOUD_API_TOKEN": token}, {}, root)
    finally:
        emulator.terminate()
        emulator.wait()
        registry.shutdown()
