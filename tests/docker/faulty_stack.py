"""A checkout whose Docker stack things go wrong with, as a person at its command line sees them."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.containers.stand import Containers
from tests.emulated.checkout import Answer, Checkout, until
from tests.ports import free_port
from tests.processes import arguments, runs

NAME = "faults"
CODE = """
import dagster as dg

VERSION = "{version}"

@dg.asset
def answer() -> int:
    return 42

defs = dg.Definitions(assets=[answer])
"""
DOCKERFILE = """\
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
COPY . /opt/dagster/app
"""


class FaultyStack:
    """The stack ``faults`` of a checkout of its own, with the locations of ``names``."""

    def __init__(
        self, root: Path, containers: Containers, plugin: str, shared: Path, names: tuple[str, ...] = ("alpha",)
    ) -> None:
        self.containers = containers
        self.checkout = Checkout(root, shared=shared)
        self.root = root
        self.port = free_port()
        self.address = f"{containers.registry}/faults{self.port}"
        self.file = root / "stacks" / f"Pulumi.{NAME}.yaml"
        (root / "stacks" / "Pulumi.local.yaml").unlink()
        self.file.write_text(self.settings())
        for name in names:
            self.checkout.location(name, CODE.replace("{version}", "one"))
        path = containers.environ["PATH"]
        self.environ = {
            **{name: value for name, value in containers.environ.items() if name.startswith("DOCKER_")},
            "PATH": os.pathsep.join([plugin, path]) if plugin else path,
            "PULUMI_CONFIG_PASSPHRASE": secrets.token_urlsafe(12),  # it is no stack of one person
        }

    def settings(self, address: str | None = None, images: str = "", more: str = "") -> str:
        """The text of the stack's file. ``images``: further lines below hybrid:images; ``more``: of the whole."""
        socket = self.containers.environ["DOCKER_HOST"].removeprefix("unix://")
        certificates = self.containers.certificates
        return (
            f"config:\n  hybrid:emulator:\n    port: {self.port}\n"
            f"  hybrid:registry:\n    address: {address or self.address}\n"
            f"  hybrid:images:\n    pythonImage: {self.containers.python_image}\n"
            + (f"    certificates: {certificates}\n" if certificates else "")
            + "".join(f"    {line}\n" for line in images.splitlines())
            + f"  hybrid:agent:\n    kind: docker\n    socket: {socket}\n"
            f"    registryCredentials: {self.containers.environ['DOCKER_CONFIG']}\n" + more
        )

    def hybrid(self, *arguments: str, timeout: float = 400, **more: str) -> Answer:
        answer = self.checkout.hybrid(*arguments, timeout=timeout, **{**self.environ, **more})
        assert "Traceback" not in answer.err or "definitions.py" in answer.err, f"a traceback of ours:\n{answer.err}"
        return answer

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return self.checkout.start(*arguments, **{**self.environ, **more})

    def up(self) -> Any:
        answer = self.hybrid("up", NAME, "--json")
        assert answer.code == 0, f"`hybrid up {NAME}` ended with {answer.code}:\n{answer.err}"
        return answer.document

    def loaded(self) -> dict[str, str]:
        """By location what it is loaded from, of those that are LOADED."""
        answer = self.hybrid("status", NAME, "--json")
        locations = json.loads(answer.out)["locations"] if answer.out else []
        return {each["name"]: each["image"] for each in locations if each["load_status"] == "LOADED"}

    def tags(self) -> set[str]:
        """What the engine has tagged for this stack's registry."""
        listed = self.containers.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
        return {each for each in listed if each.startswith(f"{self.address}/")}

    def builds(self) -> list[psutil.Process]:
        """Docker clients that work for this checkout."""
        found = []
        for process in psutil.process_iter():
            words = arguments(process)
            mine = any(self.address in word or str(self.root) in word for word in words)
            if words and Path(words[0]).name == "docker" and mine and runs(process.pid):
                found.append(process)
        return found

    def state(self) -> str:
        """All that was written of the stack, as text."""
        files = (path for path in (self.root / ".hybrid/stacks").rglob("*") if path.is_file())
        return "".join(path.read_text(errors="replace") for path in files)

    def destroy(self) -> None:
        self.file.write_text(self.settings())
        self.hybrid("down", NAME)
        for process in self.checkout.processes():
            process.kill()
        if tags := self.tags():
            self.containers.run("image", "rm", "--force", *tags)


@contextmanager
def written(path: Path, text: str) -> Iterator[None]:
    """``path`` with this text, and as before afterwards."""
    before = path.read_bytes() if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink() if before is None else path.write_bytes(before)


def interrupted(process: subprocess.Popen[str], when: Callable[[], Any], what: str) -> Answer:
    """Press Ctrl-C once ``when`` is true; how the command ended."""
    until(lambda: when() or process.poll() is not None, seconds=120, what=what)
    assert process.poll() is None, f"it ended before {what}: {process.communicate()}"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    return Answer(process.returncode, out, err)
