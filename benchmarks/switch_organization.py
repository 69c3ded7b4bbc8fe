"""An embedded Dagster+ with a real Serverless agent, and a checkout whose stack `local` is to take it over."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hybrid.delivery.catalog import find_code_locations
from hybrid.delivery.document import location_document
from hybrid.delivery.virtualenv import VirtualEnvironmentSpec, executable_of
from hybrid.plus import Endpoint, PlusClient, api_token
from hybrid.workspace import Workspace
from tests.emulated.checkout import GOOD_LOCATION, HYBRID, Checkout, until
from tests.ports import free_port


@dataclass
class Organization:
    """``python`` is the interpreter of all locations, ``names`` are theirs."""

    checkout: Checkout
    url: str
    token: str
    python: Path
    names: tuple[str, ...]

    def client(self) -> PlusClient:
        endpoint = Endpoint(url=self.url, organization="acme", deployment="prod")
        return PlusClient(endpoint, api_token({"DAGSTER_CLOUD_API_TOKEN": self.token}, None))

    def register(self, client: PlusClient, python: Path) -> None:
        for folder in find_code_locations(self.checkout.root):
            client.put_location(location_document(folder, executable_path=str(python)))

    def environment_in(self, parent: Path) -> VirtualEnvironmentSpec:
        """Of any of the locations, made anew in ``parent``: all have the same requirements."""
        spec = VirtualEnvironmentSpec.of_location(
            find_code_locations(self.checkout.root)[0], Workspace(self.checkout.root)
        )
        return replace(spec, parent=parent)

    def hybrid(self, *arguments: str) -> Any:
        """What a command answered as JSON; it has to end with 0."""
        answer = self.checkout.hybrid(*arguments, timeout=1800, DAGSTER_CLOUD_API_TOKEN=self.token)
        assert answer.code == 0, f"`hybrid {' '.join(arguments)}` ended with {answer.code}:\n{answer.err}"
        return answer.document if answer.out.startswith("{") else None


@contextmanager
def organization(root: Path, locations: int, departure: int, code: str = GOOD_LOCATION) -> Iterator[Organization]:
    """All loaded on Serverless, which goes ``departure`` seconds after the hand-over."""
    checkout, data, port = Checkout(root / "checkout"), root / "data", free_port()
    names = tuple(f"place{number}" for number in range(locations))
    for name in names:
        checkout.location(name, code)
    url = f"http://127.0.0.1:{port}"
    values = f"config:\n  hybrid:organization: acme\n  hybrid:url: {url}\n"
    (checkout.root / "stacks" / "Pulumi.local.yaml").write_text(values)
    command = [str(HYBRID), "emulator", "serve", "--data", str(data), "--port", str(port), "--organization", "acme"]
    options = ["--agent-type", "serverless", "--serverless-departure", str(departure)]
    environment = {**checkout.environment, "HYBRID_PROCESS": str(checkout.root)}
    server = subprocess.Popen(
        [*command, *options], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until((data / "api-token").exists, seconds=60, what="the emulator has made its token")
        made = Organization(checkout, url, (data / "api-token").read_text().strip(), Path(), names)
        spec = made.environment_in(Workspace(checkout.root).environments)
        made.python = executable_of(spec.ensure(lambda text: None, time.sleep))
        with made.client() as client:
            until(client.agents, seconds=120, what="the Serverless agent reports")
            made.register(client, made.python)
            loaded = lambda: all(each.is_loaded for each in client.code_locations())  # noqa: E731
            until(loaded, seconds=300, what="Serverless has loaded all")
        yield made
    finally:
        checkout.destroy()
        server.terminate()
        server.wait(30)
