"""Images of ten code locations, beside `docker build` and `docker push` by hand: the same Dockerfiles, engine and
registry, in the same run.

Each location installs a package of its own, so that ten cold builds are ten pieces of work.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figure import Figure
from tests.containers.engine import started
from tests.emulated.checkout import Answer, Checkout

COUNT = 10
ROUNDS = 3
PACKAGES = ("attrs", "click", "idna", "markupsafe", "packaging", "pluggy", "six", "toolz", "tomli", "wrapt")
"""Small, without dependencies, and on every package index."""

_DOCKERFILE = """ARG PYTHON_IMAGE
FROM ${{PYTHON_IMAGE}}
WORKDIR /opt/dagster/app
RUN --mount=type=secret,id=certificates,required=false \\
    PIP_CERT=$(test -s /run/secrets/certificates && echo /run/secrets/certificates) \\
    python -m pip install --no-cache-dir {package}
COPY . .
"""


def measure() -> list[Figure]:
    """Seconds cold, unchanged, and with one location changed."""
    with tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder, started() as containers:
        bench = _Bench(Path(folder), containers)
        cold = _seconds(bench.push)
        bench.forget()
        cold_by_hand = _seconds(lambda: [bench.by_hand(number) for number in range(COUNT)])
        bench.push()
        unchanged = statistics.median(_seconds(bench.push) for _ in range(ROUNDS))
        start_up = statistics.median(_seconds(bench.nothing) for _ in range(ROUNDS))
        changed, changed_by_hand = [], []
        for round_number in range(ROUNDS):
            bench.change(0, f"by us {round_number}")
            changed.append(_seconds(bench.push))
            bench.change(0, f"by hand {round_number}")
            changed_by_hand.append(_seconds(lambda: bench.by_hand(0)))
    return [
        Figure("ten images built and pushed, cold (peer: one after another by hand)", "s", cold, cold_by_hand),
        Figure("one of ten changed, built and pushed", "s", *map(statistics.median, (changed, changed_by_hand))),
        Figure("ten images unchanged (peer: the command's own start)", "s", unchanged, start_up),
    ]
