"""A hundred code locations registered by our provider, beside a hundred resources of one that does nothing: the same
engine and settings. No agent: what is measured is that nothing waits for a single location."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.project import Project
from tests.emulated.checkout import free_port, until

LOCATIONS = 100
ROUNDS = 3

PROGRAM = """from hybrid.provider.resources import CodeLocation, CodeLocationArgs, Connection
connection = Connection(url="URL", organization="local", deployment="prod", token_file="TOKEN")
for number in range(COUNT):
    document = {"code_source": {"module_name": "m"}, "working_directory": "/w"}
    CodeLocation(f"l{number}", CodeLocationArgs(connection=connection, name=f"l{number}", document=document))
"""


def measure() -> list[Figure]:
    """Seconds of a first and of a second `pulumi up`."""
    first: dict[str, list[float]] = {"ours": [], "null": []}
    second: dict[str, list[float]] = {"ours": [], "null": []}
    with tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder:
        data, port = Path(folder) / "data", free_port()
        emulator = subprocess.Popen(
            [sys.executable, "-m", "hybrid.emulator", "--data", str(data), "--port", str(port)],
            stderr=subprocess.DEVNULL,
        )
        until((data / "api-token").exists, seconds=30, what="the emulator has made its token")
        program = PROGRAM.replace("URL", f"http://127.0.0.1:{port}").replace("TOKEN", str(data / "api-token"))
        for number in range(ROUNDS):
            projects = {
                "ours": Project(Path(folder) / f"ours{number}", program.replace("COUNT", str(LOCATIONS))),
                "null": Project.of_nothing(Path(folder) / f"null{number}", LOCATIONS),
            }
            for name, project in projects.items():
                first[name].append(project.up())
                second[name].append(project.up())
                project.destroy()
        emulator.terminate()
        emulator.wait()
    return [
        _figure(f"first `pulumi up` of {LOCATIONS} code locations", first),
        _figure(f"second `pulumi up` of {LOCATIONS} code locations", second),
    ]


def _figure(what: str, seconds: dict[str, list[float]]) -> Figure:
    return Figure(what, "s", statistics.median(seconds["ours"]), statistics.median(seconds["null"]))
