"""An organization on this machine that a real Serverless agent serves, and a checkout that is to take it over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from hybrid.plus import Endpoint, PlusClient, api_token
from tests.emulated.checkout import HYBRID, Answer, Checkout, until
from tests.ports import free_port


@dataclass
class Serverless:
    """An organization with a Serverless deployment, and a checkout whose stack ``local`` is to serve it."""

    url: str
    data: Path
    checkout: Checkout
    server: subprocess.Popen[bytes]

    @property
    def token(self) -> str:
        return (self.data / "api-token").read_text().strip()

    @property
    def variables(self) -> dict[str, str]:
        return {"DAGSTER_CLOUD_API_TOKEN": self.token}

    def hybrid(self, *arguments: str) -> Answer:
        answer = self.checkout.hybrid(*arguments, timeout=400, DAGSTER_CLOUD_API_TOKEN=self.token)
        assert self.token not in answer.out + answer.err, "a token was shown"
        return answer

    def client(self) -> PlusClient:
        endpoint = Endpoint(url=self.url, organization="acme", deployment="prod")
        return PlusClient(endpoint, api_token({"DAGSTER_CLOUD_API_TOKEN": self.token}, None))

    @property
    def journal(self) -> Path:
        return self.checkout.root / ".hybrid/stacks/local/switch.jsonl"

    def lines(self) -> list[dict[str, Any]]:
        text = self.journal.read_text() if self.journal.exists() else ""
        return [json.loads(line) for line in text.splitlines()[1:]]

    def killed_at(self, step: str, event: str, *arguments: str, after: float = 0.5) -> None:
        """The command, killed some moments after the journal says that it is at the step."""
        known = len(self.lines())
        process = self.checkout.start(*arguments, **self.variables)

        def there() -> bool:
            if process.poll() is not None:
                out, err = process.communicate()
                raise AssertionError(f"it ended before it came to {step}:\n{out}\n{err}")
            return any((line["step"], line["event"]) == (step, event) for line in self.lines()[known:])

        until(there, seconds=240, what=f"the switch is at {step}")
        time.sleep(after)  # not waiting for anything: the kill is to come in the middle
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@contextmanager
def serverless(root: Path, environments: Path, settings: str = "") -> Iterator[Serverless]:
    """Its agent reports and goes at once when the deployment is switched; it runs no location yet. ``settings``:
    further lines of the stack file."""
    data, port = root / "data", free_port()
    command = [str(HYBRID), "emulator", "serve", "--data", str(data), "--port", str(port), "--organization", "acme"]
    options = ["--agent-type", "serverless", "--serverless-departure", "0"]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("DAGSTER_", "PULUMI_"))}
    with (root / "log").open("wb") as log:
        server = subprocess.Popen([*command, *options], env=inherited, stdout=log, stderr=log)
    checkout = Checkout(root / "checkout", shared=environments)
    url = f"http://127.0.0.1:{port}"
    (checkout.root / "stacks" / "Pulumi.local.yaml").write_text(
        f"config:\n  # the team's own words\n  hybrid:organization: acme\n  hybrid:url: {url}\n{settings}"
    )
    found = Serverless(url, data, checkout, server)
    try:
        until((data / "api-token").exists, seconds=60, what="it serves")
        with found.client() as client:
            until(client.agents, seconds=120, what="the Serverless agent reports")
        yield found
    finally:
        checkout.hybrid("down", "local", "--yes", DAGSTER_CLOUD_API_TOKEN=found.token)
        checkout.destroy()
        server.terminate()
        server.wait(timeout=30)
        for process in psutil.process_iter():
            try:
                if str(data) in " ".join(process.cmdline()):
                    process.kill()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue


def standing(place: Serverless) -> dict[str, Any]:
    with place.client() as client:
        return {
            "type": client.current_deployment().agent_type,
            "documents": client.location_documents(),
            "on": sorted(one.name for one in client.automations().instigations if one.is_on),
            "variables": {
                each.name: each.value.reveal() if each.value else None
                for each in client.environment_variables(values=True)
            },
        }
