"""The team's organization: an embedded Dagster+ with a real Serverless agent, to which the team deploys by the stock
commands, sets its secrets, and on which it has stored some values."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hybrid.plus import Endpoint, PlusClient, Scopes
from hybrid.redaction import Token
from tests.serverless_team.files import LOCATIONS, write_repository

Say = Callable[[str], None]

ORGANIZATION: Final = "acme"
SECRETS: Final = {"WAREHOUSE_PASSWORD": None, "REPORT_KEY": "reports"}
"""By name the one location that gets it; None: all."""
STORED: Final = ("orders/2026-01-01", "orders/2026-01-02", "orders/2026-01-03", "rates")
"""What is stored on Serverless, by key and partition."""

_BIN: Final = Path(sys.executable).parent
_SERVES_SECONDS: Final = 120
_LOADS_SECONDS: Final = 600


@dataclass(frozen=True)
class Team:
    """``folder`` has the repository, in ``team``, and Dagster+'s data, in ``plus``; it listens on 127.0.0.1."""

    folder: Path
    port: int

    @property
    def repository(self) -> Path:
        return self.folder / "team"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return (self.folder / "plus" / "api-token").read_text(encoding="utf-8").strip()

    def client(self) -> PlusClient:
        return PlusClient(Endpoint(self.url, ORGANIZATION, "prod"), Token(self.token))

    def cli(self, *arguments: str) -> None:
        """The stock command, in the team's repository."""
        named = {"DAGSTER_CLOUD_URL": f"{self.url}/prod", "DAGSTER_CLOUD_ORGANIZATION": ORGANIZATION}
        secret = {"DAGSTER_CLOUD_API_TOKEN": self.token}
        environment = {**_environment(), **named, **secret, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}"}
        command = [str(_BIN / "dagster-cloud"), *arguments]
        ended = subprocess.run(
            command, cwd=self.repository, env=environment, capture_output=True, text=True, check=False
        )
        if ended.returncode != 0:
            raise RuntimeError(f"dagster-cloud {' '.join(arguments[:2])}:\n{(ended.stdout + ended.stderr)[-3000:]}")


@contextmanager
def served(folder: Path, port: int, say: Say, *options: str) -> Iterator[Team]:
    """The organization, while it serves, with all of the team's on it. ``options`` are those of `hybrid emulator
    serve`."""
    team = Team(folder.absolute(), port)
    write_repository(team.repository)
    command = [str(_BIN / "hybrid"), "emulator", "serve", "--data", str(team.folder / "plus"), "--port", str(port)]
    serverless = ["--organization", ORGANIZATION, "--agent-type", "serverless", *options]
    with (team.folder / "plus.log").open("ab") as log:
        server = subprocess.Popen([*command, *serverless], env=_environment(), stdout=log, stderr=log)
    try:
        _until((team.folder / "plus" / "api-token").exists, _SERVES_SECONDS, "the embedded Dagster+ did not serve")
        with team.client() as client:
            _until(client.agents, _SERVES_SECONDS, "the Serverless agent did not report")
            _deploy(team, client, say)
            _work(client, say)
        yield team
    finally:
        server.terminate()
        server.wait()


def _deploy(team: Team, client: PlusClient, say: Say) -> None:
    client.update_deployment_settings({"non_isolated_runs": {"enabled": True}})
    for name, location in SECRETS.items():
        scopes = Scopes(full_deployment=True)
        client.create_environment_variable(name, Token(f"the-{name.lower()}-of-the-team"), scopes, _listed(location))
    say("deploying orders as a Python executable")
    executable = ("serverless", "deploy-python-executable", str(team.repository / "orders"))
    self_built = ("--location-name", "orders", "--package-name", "orders.definitions", "--build-method", "local")
    team.cli(*executable, *self_built)
    say("deploying reports, alerts and rates from their folders: there is no registry for images here")
    for name in LOCATIONS[1:]:
        folder = team.repository / name
        code = ("--python-file", str(folder / "reports.py")) if name == "reports" else ("--module-name", name)
        team.cli("deployment", "update-location", name, *code, "--working-directory", str(folder))
    _until(lambda: all(each.is_loaded for each in client.code_locations()), _LOADS_SECONDS, "not all have loaded")


def _work(client: PlusClient, say: Say) -> None:
    """Runs of every kind, each to its end."""
    say("storing values, and a run without isolation")
    for key in STORED:
        location, _, day = key.partition("/")
        job = "take" if day else "fetch"
        _to_its_end(client, location, job, {"dagster/partition": day} if day else {})
    _to_its_end(client, "alerts", "check", {"dagster/isolation": "disabled"})


def _to_its_end(client: PlusClient, location: str, job: str, tags: dict[str, str]) -> None:
    number = client.launch_run(location, job, tags=tags)
    _until(lambda: client.run(number).is_finished, _LOADS_SECONDS, f"the run of {job} did not end")
    if (status := client.run(number).status) != "SUCCESS":
        raise RuntimeError(f"the run {number} of {job} ended as {status}")


def _until(look: Callable[[], Any], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise RuntimeError(f"within {seconds:.0f} s {otherwise}")
        time.sleep(0.2)


def _listed(location: str | None) -> Sequence[str]:
    return () if location is None else (location,)


def _environment() -> dict[str, str]:
    """This shell's, without what would lead Dagster or Pulumi elsewhere."""
    return {name: each for name, each in os.environ.items() if not name.startswith(("DAGSTER_", "PULUMI_"))}
