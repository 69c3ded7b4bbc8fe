"""Images of ten code locations, beside `docker build` and `docker push` by hand: the same Dockerfiles but for one word,
the same base, engine and registry, in the same run.

Each location installs a package of its own, so that ten cold builds are ten pieces of work. What is cold has a new word
in its Dockerfile before that step, and a new repository: nobody's build cache is emptied for it. By hand means
BuildKit, one location after another.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.figure import Figure
from hybrid.delivery.images.scaffold import scaffold
from tests.containers import stand
from tests.containers.home import Home
from tests.containers.stand import Containers
from tests.emulated.checkout import Checkout
from tests.ports import free_port

ROUNDS: Final = 3
PACKAGES: Final = ("attrs", "click", "idna", "markupsafe", "packaging", "pluggy", "six", "toolz", "tomli", "wrapt")
"""Small, without dependencies, and on every package index."""

_DOCKERFILE: Final = """ARG PYTHON_IMAGE
FROM ${{PYTHON_IMAGE}}
WORKDIR /opt/dagster/app
ENV COLD={cold}
RUN --mount=type=secret,id=certificates,required=false \\
    if [ -s /run/secrets/certificates ]; then export PIP_CERT=/run/secrets/certificates; fi; \\
    python -m pip install --no-cache-dir {package}
COPY . .
"""
_WRITING: Final = r'"(?:POST|PUT|PATCH) /v2/{repositories}/'


def measure() -> list[Figure]:
    """Seconds cold, with one location changed, and unchanged. Raises ``AssertionError`` when something is pushed of
    what did not change."""
    environ = dict(os.environ)
    home = Home.of(environ)
    with tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder:
        bench = _Bench(Path(folder), stand.up(home, environ), home)
        try:
            return _measured(bench)
        finally:
            bench.clear()


def _measured(bench: _Bench) -> list[Figure]:
    count = len(PACKAGES)
    cold = _cold(bench, f"{count} images, cold / one after another by hand")
    small = _changed(bench, f"one of {count} changed, one file copied / that one by hand")
    bench.use_scaffold()
    usual = _changed(bench, f"one of {count} changed, Dagster and the scaffold / that one by hand")
    return [cold, small, usual, _unchanged(bench, f"{count} images unchanged / `hybrid --version`")]


def _cold(bench: _Bench, what: str) -> Figure:
    ours, peer = [], []
    for number in range(ROUNDS):
        bench.make_cold(f"round-{number}")
        before = bench.writes()
        ours.append(_seconds(bench.push))
        assert bench.writes() > before, "the registry's log does not tell what is pushed"
        peer.append(_seconds(bench.by_hand))
    return Figure(what, "s", statistics.median(ours), statistics.median(peer))


def _changed(bench: _Bench, what: str) -> Figure:
    ours, peer = [], []
    for number in range(ROUNDS):
        bench.change(f"{what} {number}")
        ours.append(_seconds(bench.push))
        peer.append(_seconds(lambda: bench.by_hand(PACKAGES[:1])))
    return Figure(what, "s", statistics.median(ours), statistics.median(peer))


def _unchanged(bench: _Bench, what: str) -> Figure:
    ours, start = [], []
    before = bench.writes()
    for _ in range(ROUNDS):
        ours.append(_seconds(bench.push))
        start.append(_seconds(lambda: bench.hybrid("--version")))
    assert bench.writes() == before, "something was pushed although nothing changed"
    return Figure(what, "s", statistics.median(ours), statistics.median(start))


class _Bench:
    """Ten locations in a checkout, for `hybrid locations push`, and ten folders like them for building by hand."""

    def __init__(self, root: Path, containers: Containers, home: Home) -> None:
        self._containers = containers
        self._log = home.path / "registry" / "registry.log"
        self._checkout = Checkout(root / "checkout")
        self._by_hand = root / "by-hand"
        self._by_hand.mkdir()
        self._name = f"bench{free_port()}"
        self._cold = ""
        for package in PACKAGES:
            shutil.copytree(self._checkout.location(package), self._by_hand / package)

    def make_cold(self, word: str) -> None:
        """Repositories and steps that nobody has seen; ``word`` tells this time from others."""
        self._cold = word
        (self._checkout.root / "stacks" / "Pulumi.docker.yaml").write_text(self._settings(), encoding="utf-8")
        for package in PACKAGES:
            for side, folder in (("ours", self._folder(package)), ("by-hand", self._by_hand / package)):
                text = _DOCKERFILE.format(cold=f"{self._name}-{side}-{word}", package=package)
                (folder / "Dockerfile").write_text(text, encoding="utf-8")

    def change(self, word: str) -> None:
        """Another line in the first location's code, on both sides and each with content of its own."""
        for side, folder in (("ours", self._folder(PACKAGES[0])), ("by-hand", self._by_hand / PACKAGES[0])):
            with (folder / "src" / PACKAGES[0] / "definitions.py").open("a", encoding="utf-8") as code:
                code.write(f"# {side} {word}\n")

    def use_scaffold(self) -> None:
        """The first location is built from now on as one without a Dockerfile, dependencies and all; built once."""
        for folder in (self._folder(PACKAGES[0]), self._by_hand / PACKAGES[0]):
            (folder / "Dockerfile").write_text(scaffold(folder), encoding="utf-8")
        self.push()
        self.by_hand(PACKAGES[:1])

    def hybrid(self, *arguments: str) -> None:
        """Run the command line. Raises ``AssertionError`` with what it complained of."""
        answer = self._checkout.hybrid(*arguments, timeout=600, **self._containers.exported())
        assert answer.code == 0, answer.err[-2000:]

    def push(self) -> None:
        self.hybrid("locations", "push", "docker")

    def by_hand(self, packages: tuple[str, ...] = PACKAGES) -> None:
        for package in packages:
            image = f"{self._address('by-hand')}/{package}:latest"
            argument = f"PYTHON_IMAGE={self._containers.python_image}"
            arguments = ["build", "--progress=plain", "--build-arg", argument, "--tag", image]
            if self._containers.certificates:
                arguments += ["--secret", f"id=certificates,src={self._containers.certificates}"]
            self._docker(*arguments, str(self._by_hand / package))
            self._docker("push", image)

    def writes(self) -> int:
        """How many requests so far sent something to our side's repositories, as the registry's log has it."""
        writing = re.compile(_WRITING.format(repositories=f"{self._name}/ours"))
        return len(writing.findall(self._log.read_text(errors="replace")))

    def clear(self) -> None:
        """Take the images out of the engine."""
        ours = f"reference={self._containers.registry}/{self._name}/*/*/*"
        found = set(self._containers.run("image", "ls", "--quiet", "--filter", ours).split())
        if found:
            self._containers.run("image", "rm", "--force", *found)

    def _folder(self, package: str) -> Path:
        return self._checkout.root / "locations" / package

    def _address(self, side: str) -> str:
        return f"{self._containers.registry}/{self._name}/{side}/{self._cold}"

    def _settings(self) -> str:
        certificates = self._containers.certificates
        return (
            f"config:\n"
            f"  hybrid:registry:\n    address: {self._address('ours')}\n"
            f"  hybrid:images:\n    pythonImage: {self._containers.python_image}\n"
            + (f"    certificates: {certificates}\n" if certificates else "")
            + f"  hybrid:agent:\n    kind: docker\n"
            f"    socket: {self._containers.environ['DOCKER_HOST'].removeprefix('unix://')}\n"
            f"    registryCredentials: {self._containers.environ['DOCKER_CONFIG']}\n"
        )

    def _docker(self, *arguments: str) -> None:
        environ = {**self._containers.environ, "DOCKER_BUILDKIT": "1"}
        done = subprocess.run(
            [str(self._containers.docker), *arguments], env=environ, stdin=subprocess.DEVNULL, capture_output=True
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]


def _seconds(run: Callable[[], object]) -> float:
    began = time.monotonic()
    run()
    return time.monotonic() - began
