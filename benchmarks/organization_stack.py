"""An organization's stack for measurements: a checkout, an organization's Dagster+ (the emulator) and a registry with
the image of its one location. No Docker, and no agent that runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from hybrid.engine import backend
from hybrid.toolchain import ensure_pulumi
from hybrid.workspace import Workspace
from tests.emulated.checkout import REPOSITORY, Checkout, until
from tests.ports import free_port

STACK: Final = "prod"
WAITING: Final = ("**::agent-state", "**::ready")
"""What an `up` here leaves out: it waits for the agent, and none runs."""
_CLOUDS: Final = ("AWS_", "AZURE_", "ARM_", "KUBECONFIG")
"""Variables by which this shell reaches something that a measurement must not."""

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


@dataclass(frozen=True)
class OrganizationStack:
    """The stack ``prod`` in a checkout. Its state is where ``use`` says, so that one checkout serves several."""

    checkout: Checkout
    organization: Mapping[str, str]
    state: Path
    plugins: str = ""
    """A folder with Pulumi's plugins, before all others; empty where Pulumi has its own."""
    cloud: Mapping[str, str] = field(default_factory=dict)
    """The variables by which the cloud is reached."""
    wrapper: tuple[str, ...] = ()
    """What goes before every command."""

    @property
    def environment(self) -> dict[str, str]:
        """For `pulumi` and `hybrid` alike."""
        pulumi = ensure_pulumi(lambda text: None)
        inherited = {key: value for key, value in self.checkout.environment.items() if not key.startswith(_CLOUDS)}
        given = {
            **inherited,
            **self.organization,
            **self.cloud,
            "PATH": os.pathsep.join([*([self.plugins] if self.plugins else []), inherited.get("PATH", "")]),
            "PULUMI_BACKEND_URL": self.state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "bench",
        }
        return backend.environment(Workspace(self.checkout.root), STACK, pulumi, given)

    def use(self, cloud: Mapping[str, str], state: Path) -> OrganizationStack:
        """The same stack in another place, with another state."""
        stack = replace(self, cloud=cloud, state=state)
        if not state.exists():
            state.mkdir()
            stack.pulumi("stack", "init", STACK)
        return stack

    def up(self, *more: str) -> None:
        """Without what waits for an agent, and without ``more``."""
        left_out = [f"--exclude={urn}" for urn in (*WAITING, *more)]
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

    def planned(self) -> list[dict[str, Any]]:
        """What a preview would make, as the state would hold it; what is not known yet is some text."""
        told = json.loads(self.pulumi("preview", "--json", "--stack", STACK))
        return [step["newState"] for step in told["steps"]]

    def pulumi(self, *arguments: str) -> str:
        return self.run("pulumi", *arguments, "--non-interactive")

    def run(self, *command: str, **more: str) -> str:
        """What a command prints. Raises ``RuntimeError`` with its words when it fails."""
        environment = {**self.environment, **more}
        done = subprocess.run(
            [*self.wrapper, *command],
            cwd=self.checkout.root,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _seconds(self, *command: str) -> float:
        began = time.monotonic()
        self.run(*command)
        return time.monotonic() - began


@contextmanager
def organization_stack(root: Path, place: Mapping[str, Any], locations: int = 1) -> Iterator[OrganizationStack]:
    """The stack with its platform's default settings (``place``: ``agent`` and the cloud's section) and some locations,
    which are images; nothing of it stands yet."""
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
            **place,
            "locations": [
                {"name": name, "image": f"127.0.0.1:{registry.server_port}/{name}:1", "moduleName": name}
                for name in ("hello", *(f"further{number}" for number in range(1, locations)))
            ],
        }
        file = checkout.root / "stacks" / f"Pulumi.{STACK}.yaml"
        file.write_text(json.dumps({"config": {f"hybrid:{key}": value for key, value in settings.items()}}))
        token = (data / "api-token").read_text().strip()
        yield OrganizationStack(checkout, {"DAGSTER_CLOUD_API_TOKEN": token}, root)
    finally:
        emulator.terminate()
        emulator.wait()
        registry.shutdown()
