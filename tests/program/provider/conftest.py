"""A throw-away Pulumi project around the provider of this checkout."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hybrid.engine.lock import half_written_notes
from hybrid.plus import Endpoint, PlusClient, api_token
from hybrid.provider import family
from hybrid.provider.runtime import socket_path
from hybrid.toolchain import Pulumi
from hybrid.workspace import Workspace
from tests.ports import free_port

STACK = "dev"


class Project:
    """A project with a state of its own. ``root/run`` is for what it stands up."""

    def __init__(self, root: Path, pulumi: Pulumi) -> None:
        self.root = root
        self.run_folder = root / "run"
        self._pulumi = pulumi
        checkout = Workspace.of_this_checkout()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "DAGSTER_"))},
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), str(pulumi.bin_folder), os.environ.get("PATH", "")]
            ),
            "PULUMI_BACKEND_URL": (root / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "of a test",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_HOME": str(root / "home"),
        }
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for name in ("state", "home", "run", "program"):
            (root / name).mkdir()
        (root / "program" / "Pulumi.yaml").write_text(
            "name: hybrid\nruntime: python\nplugins:\n  providers:\n    - name: dagsterhybrid\n"
            f"      path: {json.dumps(str(checkout.root / 'hybrid' / 'provider' / 'plugin'))}\n"
        )
        self.declare("")
        self.pulumi("stack", "init", STACK)

    def declare(self, program: str) -> None:
        """What the project stands up. ``RUN`` is the run folder, all resource classes are at hand."""
        preface = (
            "import sys\nfrom pathlib import Path\nimport pulumi\nfrom hybrid.provider.resources import *\n"
            "from hybrid.provider.agent_resources import *\n"
            f"RUN = Path({str(self.run_folder)!r})\nPYTHON = sys.executable\n"
        )
        (self.root / "program" / "__main__.py").write_text(preface + program)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self._pulumi.executable), *arguments, "--non-interactive", "--color", "never"],
            cwd=self.root / "program",
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def pulumi(self, *arguments: str, succeeds: bool = True) -> str:
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=120)
        assert (process.returncode == 0) is succeeds, (
            f"pulumi {' '.join(arguments)} ended {process.returncode}:\n{said}"
        )
        return said

    def up(self, *, succeeds: bool = True, refresh: bool = True) -> str:
        return self.pulumi("up", "--yes", "--skip-preview", f"--refresh={str(refresh).lower()}", succeeds=succeeds)

    def destroy(self) -> str:
        return self.pulumi("destroy", "--yes", "--skip-preview")

    def resource(self, name: str) -> dict[str, Any] | None:
        """The resource in state."""
        listed = self.state().get("resources") or []
        return next((entry for entry in listed if entry["urn"].endswith(f"::{name}")), None)

    def outputs(self, name: str) -> dict[str, Any]:
        found = self.resource(name)
        assert found is not None, f"{name} is not in state"
        return dict(found["outputs"])

    def state(self) -> dict[str, Any]:
        latest = json.loads(self.state_text()).get("checkpoint", {}).get("latest")
        return dict(latest or {})

    def state_text(self) -> str:
        return (self.root / "state" / ".pulumi" / "stacks" / "hybrid" / f"{STACK}.json").read_text()

    def forget_locks(self) -> None:
        """What `hybrid up` does with the lock of a killed engine, and with its half-written notes."""
        shutil.rmtree(self.root / "state" / ".pulumi" / "locks", ignore_errors=True)
        for note in half_written_notes(self.root / "state"):
            note.unlink()

    def processes(self, name: str) -> list[psutil.Process]:
        """The live programs of a process folder, without supervisor and launcher."""
        found = family.members(self.run_folder / name)
        return [process for process in found if "supervisor.supervisord" not in family.command_line(process)]

    def supervisors(self, name: str) -> list[psutil.Process]:
        found = family.members(self.run_folder / name)
        return [process for process in found if "supervisor.supervisord" in family.command_line(process)]

    def plugins(self) -> list[psutil.Process]:
        """Live provider processes of this project's engines."""
        return [process for process in psutil.process_iter() if self._is_plugin(process)]

    def _is_plugin(self, process: psutil.Process) -> bool:
        try:
            home = process.environ().get("PULUMI_HOME")
            return home == str(self.root / "home") and "hybrid.provider" in process.cmdline() and family.alive(process)
        except psutil.Error:
            return False

    def clean_up(self) -> None:
        for folder in self.run_folder.iterdir():
            for process in family.members(folder):
                family.send(process, signal.SIGKILL)
            for suffix in (".sock", ".lock"):
                socket_path(folder).with_suffix(suffix).unlink(missing_ok=True)
        for process in self.plugins():
            family.send(process, signal.SIGKILL)


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Waits for a condition: its first true answer, or a failure that says why that was expected."""

    def wait(condition: Callable[[], Any], why: str, seconds: float = 15.0) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if answer := condition():
                return answer
            time.sleep(0.02)
        raise AssertionError(why)

    return wait


@pytest.fixture
def project(tmp_path: Path, pulumi: Pulumi) -> Iterator[Project]:
    made = Project(tmp_path, pulumi)
    try:
        yield made
    finally:
        made.clean_up()


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def emulator(port):
    """The program's part that stands the embedded Dagster+ up."""
    return f"""
EMULATOR = Process("emulator", ProcessArgs(
    name="emulator", directory=str(RUN / "emulator"), port={port}, readiness_url="http://127.0.0.1:{port}/health",
    command=[PYTHON, "-P", "-m", "hybrid.emulator", "--data", str(RUN / "data"), "--port", "{port}"],
    remove_on_delete=[str(RUN / "data")],
))
AFTER = pulumi.ResourceOptions(depends_on=[EMULATOR])
DAGSTER_PLUS = Connection(url="http://127.0.0.1:{port}", organization="local", deployment="prod",
                          token_file=str(RUN / "data" / "api-token"))
"""


@pytest.fixture
def value(project):
    """A secret that reaches the program as secrets do: by an environment variable, and is in no file of the test."""
    made = secrets.token_hex(16)
    project.environment["VALUE_OF_A_TEST"] = made
    return made


@pytest.fixture
def emulator_and_value(emulator, value):
    """The program's part that stands the embedded Dagster+ up, and the secret."""
    return f"""
import os
{emulator}VALUE = os.environ["VALUE_OF_A_TEST"]
ALLOWED = False
"""


@pytest.fixture
def plus(project, port):
    """Opens a client of the embedded Dagster+, once it stands."""

    def client() -> PlusClient:
        token = api_token({}, project.run_folder / "data" / "api-token")
        return PlusClient(Endpoint(f"http://127.0.0.1:{port}", "local", "prod"), token)

    return client
