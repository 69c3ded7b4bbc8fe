"""A checkout of its own for a test: this repository's program and packages, its own locations, ports and state."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from hybrid.plus import Endpoint, PlusClient, api_token
from tests.ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
HYBRID = REPOSITORY / ".venv" / "bin" / "hybrid"
LEAST_REQUIREMENTS = ("dagster==1.13.27", "dagster-cloud==1.13.27")

GOOD_LOCATION = """
import dagster as dg

@dg.asset
def answer() -> int:
    return 42

@dg.op
def fail() -> None:
    raise ValueError("this op fails by design")

@dg.op
def wait_long(context: dg.OpExecutionContext) -> None:
    import time
    from pathlib import Path
    end = Path("{gate}")
    deadline = time.monotonic() + 120
    while not end.exists() and time.monotonic() < deadline:
        context.log.info("still here")
        time.sleep(0.2)

@dg.job(executor_def=dg.in_process_executor)
def failing() -> None:
    fail()

@dg.job(executor_def=dg.in_process_executor)
def waiting() -> None:
    wait_long()

defs = dg.Definitions(
    assets=[answer],
    jobs=[dg.define_asset_job("answers", executor_def=dg.in_process_executor), failing, waiting],
)
"""


def until(condition: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """Wait for ``condition`` to be true and return its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"within {seconds:.0f} s it did not come about that {what}")


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class Checkout:
    """One checkout. ``hybrid(...)`` runs the command line in it as a person would."""

    def __init__(self, root: Path, *, port: int | None = None, settings: str = "", shared: Path | None = None) -> None:
        """``shared``: a folder for locations' environments, so that tests with the same dependencies install once."""
        self.root = root
        self.before: tuple[str, ...] = ()
        """Words in front of each command, such as what gives it an /etc/hosts of its own."""
        self.port = port or free_port()
        root.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / "Pulumi.yaml", root)
        shutil.copytree(
            REPOSITORY / "stacks", root / "stacks", ignore=shutil.ignore_patterns("Pulumi.*", "__pycache__")
        )
        for name in ("hybrid", "agent", "infra", "policies", ".venv"):
            (root / name).symlink_to(REPOSITORY / name)
        (root / "locations").mkdir()
        if shared is not None:
            shared.mkdir(exist_ok=True)
            (root / ".hybrid").mkdir(mode=0o700)
            (root / ".hybrid" / "environments").symlink_to(shared)
        (root / "stacks" / "Pulumi.local.yaml").write_text(
            f"config:\n  hybrid:emulator:\n    port: {self.port}\n{settings}", encoding="utf-8"
        )

    @property
    def gate(self) -> Path:
        """While this file is missing, the job ``waiting`` of a good location goes on."""
        return self.root / "gate"

    def location(self, name: str, code: str = GOOD_LOCATION, requirements: tuple[str, ...] = ()) -> Path:
        """A code location's folder, made or replaced."""
        folder = self.root / "locations" / name
        package = folder / "src" / name
        package.mkdir(parents=True, exist_ok=True)
        wanted = json.dumps([*LEAST_REQUIREMENTS, *requirements])
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\nversion = "0.1"\nrequires-python = ">=3.11"\ndependencies = {wanted}\n'
            f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{name}"\n'
            f'code_location_name = "{name}"\ncode_location_target_module = "{name}.definitions"\n'
        )
        (package / "__init__.py").write_text("")
        (package / "definitions.py").write_text(code.replace("{gate}", str(self.gate)))
        return folder

    @property
    def environment(self) -> dict[str, str]:
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PULUMI_", "DAGSTER_", "HYBRID_ROOT", "GITHUB_", "GITLAB_", "CI_"))
            and key not in ("PYTHONDONTWRITEBYTECODE", "CI")  # the tests' own CI is not that of what they test
        }
        return {**inherited, "HYBRID_ROOT": str(self.root), "NO_COLOR": "1"}

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.before, str(HYBRID), *arguments],
            cwd=self.root,
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def hybrid(self, *arguments: str, timeout: float = 180, **more: str) -> Answer:
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=timeout)
        return Answer(process.returncode, out, err)

    def up(self) -> Answer:
        answer = self.hybrid("up", "local", "--json")
        assert answer.code == 0, f"`hybrid up` ended with {answer.code}:\n{answer.err}"
        return answer

    def status(self) -> Answer:
        return self.hybrid("status", "local", "--json")

    def processes(self) -> list[psutil.Process]:
        """All processes that belong to this checkout, by their arguments or environment."""
        mine = []
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                words = " ".join(process.cmdline())
                marked = process.environ().get("HYBRID_PROCESS", "").startswith(str(self.root))
                if marked or str(self.root / ".hybrid") in words:
                    mine.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return mine

    def commands(self, *words: str) -> list[psutil.Process]:
        """Those of this checkout's processes whose command line has all ``words``."""
        found = []
        for process in self.processes():
            try:
                line = " ".join(process.cmdline())
            except psutil.NoSuchProcess:
                continue
            if all(word in line for word in words):
                found.append(process)
        return found

    def agents(self) -> list[psutil.Process]:
        return [
            process for process in self.commands("dagster-cloud", "agent run") if "supervisord" not in process.name()
        ]

    def emulator(self) -> psutil.Process:
        return self.commands("-m hybrid.emulator")[0]

    def code_servers(self) -> list[psutil.Process]:
        return self.commands("api", "grpc")

    def client(self) -> PlusClient:
        """Somebody else who changes things in Dagster+ by its API."""
        endpoint = Endpoint(url=f"http://127.0.0.1:{self.port}", organization="local", deployment="prod")
        return PlusClient(endpoint, api_token({}, self.root / ".hybrid/stacks/local/emulator/api-token"))

    def destroy(self) -> None:
        """What a failed test left: nothing may outlive it."""
        self.hybrid("down", "local")
        for process in self.processes():
            process.kill()
