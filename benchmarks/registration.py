"""A hundred code locations registered by our provider, beside a hundred resources of one that does nothing: the same
engine and settings. No agent: what is measured is that nothing waits for a single location."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.no_op_up import PROGRAM as NULL_PROGRAM
from hybrid.engine import backend
from hybrid.toolchain import ensure_pulumi
from hybrid.workspace import Workspace
from tests.emulated.checkout import REPOSITORY, free_port, until

LOCATIONS = 100
ROUNDS = 3

PROJECT = f"""name: many
runtime: {{name: python, options: {{virtualenv: .venv}}}}
options: {{refresh: always}}
plugins:
  providers:
    - {{name: "null", path: {REPOSITORY}/benchmarks/null_provider}}
    - {{name: dagsterhybrid, path: {REPOSITORY}/hybrid/provider/plugin}}
"""
PROGRAM = """from hybrid.provider.resources import CodeLocation, CodeLocationArgs, Connection
connection = Connection(url="URL", organization="local", deployment="prod", token_file="TOKEN")
for number in range(COUNT):
    document = {"code_source": {"module_name": "m"}, "working_directory": "/w"}
    CodeLocation(f"l{number}", CodeLocationArgs(connection=connection, name=f"l{number}", document=document))
"""


def measure() -> list[Figure]:
    """Seconds of a first and of a second `pulumi up`."""
    seconds: dict[str, list[float]] = {name: [] for name in ("first", "first null", "second", "second null")}
    with tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder:
        data, port = Path(folder) / "data", free_port()
        emulator = subprocess.Popen(
            [sys.executable, "-m", "hybrid.emulator", "--data", str(data), "--port", str(port)],
            stderr=subprocess.DEVNULL,
        )
        until((data / "api-token").exists, seconds=30, what="the emulator has made its token")
        program = PROGRAM.replace("URL", f"http://127.0.0.1:{port}").replace("TOKEN", str(data / "api-token"))
        for number in range(ROUNDS):
            for name, text in (("", program), (" null", NULL_PROGRAM)):
                project = _project(Path(folder) / f"p{number}{name.strip()}", text.replace("COUNT", str(LOCATIONS)))
                seconds[f"first{name}"].append(_up(project))
                seconds[f"second{name}"].append(_up(project))
                _pulumi(project, "destroy")
        emulator.terminate()
        emulator.wait()
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    return [
        Figure(f"first `pulumi up` of {LOCATIONS} code locations", "s", middle["first"], middle["first null"]),
        Figure(f"second `pulumi up` of {LOCATIONS} code locations", "s", middle["second"], middle["second null"]),
    ]


def _project(folder: Path, program: str) -> Path:
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "__main__.py").write_text(program if "import pulumi" in program else f"import pulumi\n{program}")
    (folder / ".venv").symlink_to(REPOSITORY / ".venv")
    _pulumi(folder, "stack", "init", "many")
    return folder


def _up(project: Path) -> float:
    began = time.monotonic()
    _pulumi(project, "up", "--skip-preview")
    return time.monotonic() - began


def _pulumi(project: Path, *arguments: str) -> None:
    pulumi = ensure_pulumi(lambda text: None)
    environment = {
        **backend.environment(Workspace(REPOSITORY), "local", pulumi, dict(os.environ)),
        "PULUMI_BACKEND_URL": f"file://{project}",
        "PULUMI_CONFIG_PASSPHRASE": "bench",
    }
    agree = [] if arguments[0] == "stack" else ["--yes", "--stack", "many"]
    subprocess.run(
        ["pulumi", *arguments, *agree, "--non-interactive"], cwd=project, env=environment, check=True,
        capture_output=True,
    )  # fmt: skip
