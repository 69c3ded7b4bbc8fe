"""Hashing a build context beside BuildKit's own transfer of the same one. Needs a Docker engine: the tests' is used,
and stood up if there is none."""

from __future__ import annotations

import os
import re
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.figure import Figure
from hybrid.containers.docker import Docker
from hybrid.delivery.images.context import read_context
from hybrid.delivery.images.ignore import IgnoreRules
from tests.containers import stand
from tests.containers.home import Home

FILES = 10_000
_PER_FOLDER = 100
_BYTES = 2_000
_ROUNDS = 5
_IGNORE = "**/*.log\n**/__pycache__\n"
_TRANSFERRED = re.compile(r"#(\d+) \[internal\] load build context")


def measure() -> list[Figure]:
    """A context of 10,000 files of 2 kB each: our hash, and BuildKit's first transfer of it."""
    containers = stand.up(Home.of(dict(os.environ)), dict(os.environ))
    docker = Docker.find(containers.environ, building=True)
    ours, peer = [], []
    for _ in range(_ROUNDS):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "context"
            _fill(folder)
            began = time.monotonic()
            read_context(folder, IgnoreRules(_IGNORE))
            ours.append(time.monotonic() - began)
            peer.append(_transfer(docker, folder, Path(name)))
    what = f"hash of a context of {FILES} files / its transfer by BuildKit"
    return [Figure(what, "s", statistics.median(ours), statistics.median(peer))]


def _fill(folder: Path) -> None:
    """New bytes each time: BuildKit does not send again what it has."""
    for number in range(FILES):
        file = folder / f"d{number // _PER_FOLDER}" / f"{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(_BYTES))


def _transfer(docker: Docker, folder: Path, beside: Path) -> float:
    """Seconds of the step "load build context", as BuildKit itself says."""
    (beside / "Dockerfile").write_text("FROM scratch\nCOPY . /x\n")
    (beside / "Dockerfile.dockerignore").write_text(_IGNORE)
    lines: list[str] = []
    arguments = ["build", "--progress=plain", "--file", str(beside / "Dockerfile"), "--tag", "bench-context"]
    code = docker.follow([*arguments, str(folder)], lines.append, lambda: None)
    docker.run("image", "rm", "--force", "bench-context", check=False)
    said = "\n".join(lines)
    assert code == 0, said[-1000:]
    step = _TRANSFERRED.search(said)
    done = step and re.search(rf"^#{step[1]} DONE ([0-9.]+)s", said, re.MULTILINE)
    assert done, f"BuildKit tells no time of the transfer: {said[-1000:]}"
    return float(done[1])
