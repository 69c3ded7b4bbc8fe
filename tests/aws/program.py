"""A Pulumi program on an AWS of tests: preview, up, refresh, destroy by the real engine, and what it said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from hybrid.toolchain import Pulumi
from tests.aws.served import served

STACK: Final = "dev"
PROJECT: Final = "standin"
_SECONDS: Final = 280


@dataclass(frozen=True)
class Step:
    """What the engine did, or would do, to one resource. ``keys``: the properties for which it is replaced."""

    operation: str
    type: str
    name: str
    keys: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass
class Run:
    """How a command ended."""

    code: int
    said: str
    steps: list[Step] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    refreshed: dict[str, str] = field(default_factory=dict)
    """Names of resources to what was found: ``same``, ``update`` (it drifted), ``delete`` (it is gone); of a refresh
    within another command only ``refresh``."""

    @classmethod
    def ended(cls, code: int, said: str, log: Path) -> Run:
        """With what the event log says."""
        run = cls(code, said)
        for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
            _take(run, json.loads(line))
        return run

    @property
    def drift(self) -> dict[str, str]:
        """What a refresh found otherwise than it was known."""
        return {name: found for name, found in self.refreshed.items() if found not in ("same", "refresh")}

    @property
    def changes(self) -> dict[str, str]:
        """Names of resources to what is done to them, reading aside."""
        return {step.name: step.operation for step in self.steps if step.operation not in ("same", "read", "refresh")}

    def step(self, name: str, *operations: str) -> Step:
        """The step of a resource; of ``operations`` alone if any are given."""
        return next(step for step in self.steps if step.name == name and operations in ((), (step.operation,)))


class AwsProgram:
    """A project with a state of its own. What is declared runs in a process of its own."""

    def __init__(self, root: Path, pulumi: Pulumi, plugin_path: str, environment: Mapping[str, str]) -> None:
        self.root = root
        self._pulumi = pulumi
        path = [plugin_path, str(pulumi.bin_folder), os.environ.get("PATH", "")]
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "AWS_"))}
        self.environment = {
            **kept,
            **environment,
            "PATH": os.pathsep.join(part for part in path if part),
            "PULUMI_BACKEND_URL": (root / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "of a test",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DEBUG_COMMANDS": "true",
        }
        if plugin_path:  # the official one lives in Pulumi's home
            self.environment |= {
                "PULUMI_HOME": str(root / "home"),
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            }
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._program: Callable[[], None] = lambda: None
        (root / "state").mkdir()
        (root / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
        self.call("stack", "init", STACK)

    @property
    def stack(self) -> str:
        return STACK

    def declare(self, program: Callable[[], None]) -> None:
        """What the next commands stand up."""
        self._program = program

    def preview(self, *, refresh: bool = False, succeeds: bool = True) -> Run:
        return self.run("preview", f"--refresh={str(refresh).lower()}", succeeds=succeeds)

    def up(self, *, refresh: bool = False, succeeds: bool = True) -> Run:
        return self.run("up", "--yes", "--skip-preview", f"--refresh={str(refresh).lower()}", succeeds=succeeds)

    def refresh(self, *, succeeds: bool = True) -> Run:
        return self.run("refresh", "--yes", "--skip-preview", succeeds=succeeds)

    def destroy(self, *, succeeds: bool = True) -> Run:
        return self.run("destroy", "--yes", "--skip-preview", succeeds=succeeds)

    def clean_up(self) -> None:
        """Destroy what stands in AWS, if anything does."""
        if any(each["type"].startswith("aws:") for each in self.resources().values()):
            self.destroy()

    def run(self, command: str, *arguments: str, succeeds: bool = True) -> Run:
        """A command with its events. Fails the test when it does not end as it should."""
        with tempfile.TemporaryDirectory() as folder, served(self._program) as address:
            log = Path(folder) / "events"
            client = [f"--client={address}", "--exec-kind", "auto.inline"] if command in ("up", "preview") else []
            done = self._run(command, *arguments, "--event-log", str(log), *client)
            run = Run.ended(done.returncode, done.stdout, log)
        assert (run.code == 0) is succeeds, f"pulumi {command} ended with {run.code}:\n{run.said}"
        assert "exited prematurely" not in run.said, f"a plugin did not end in order:\n{run.said}"
        return run

    def call(self, *arguments: str, succeeds: bool = True) -> str:
        """What the CLI prints."""
        done = self._run(*arguments)
        ended = f"pulumi {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}"
        assert (done.returncode == 0) is succeeds, ended
        return done.stdout

    def resources(self) -> dict[str, dict[str, Any]]:
        """What the state holds, by name; secrets as ciphertext."""
        deployment = json.loads(self.state_text())["checkpoint"].get("latest") or {}
        return {each["urn"].rpartition("::")[2]: each for each in deployment.get("resources") or ()}

    def outputs(self, name: str) -> dict[str, Any]:
        """The outputs of a resource."""
        return dict(self.resources()[name]["outputs"])

    def state_text(self) -> str:
        return (self.root / "state" / ".pulumi" / "stacks" / PROJECT / f"{STACK}.json").read_text(encoding="utf-8")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self._start(*arguments)
        said, _ = process.communicate(timeout=_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, said, "")

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        of_the_stack = () if arguments[:2] == ("stack", "init") else ("--stack", STACK)
        return subprocess.Popen(
            [str(self._pulumi.executable), *arguments, "--non-interactive", "--color", "never", *of_the_stack],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def interrupted_up(self, when: Callable[[], object]) -> Run:
        """An `up` that gets Ctrl-C as soon as ``when`` says something true."""
        with served(self._program) as address:
            process = self._start("up", "--yes", "--skip-preview", f"--client={address}", "--exec-kind", "auto.inline")
            deadline = time.monotonic() + _SECONDS
            while process.poll() is None and not when() and time.monotonic() < deadline:
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=_SECONDS)
        return Run(process.returncode, said)

    def processes(self) -> list[str]:
        """The command lines of all processes that this program's commands started and that still run."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("PULUMI_BACKEND_URL") == self.environment["PULUMI_BACKEND_URL"]:
                    found.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return found


def _take(run: Run, event: dict[str, Any]) -> None:
    if "resourcePreEvent" in event:
        seen = event["resourcePreEvent"]["metadata"]
        urn = seen["urn"].split("::")
        run.steps.append(
            Step(
                seen["op"],
                urn[2].rpartition("$")[2],
                urn[3],
                tuple(seen.get("keys") or ()),
                tuple(seen.get("detailedDiff") or ()),
            )
        )
    elif seen := event.get("resOutputsEvent", {}).get("metadata"):
        name = seen["urn"].rpartition("::")[2]
        if run.step(name).operation == "refresh" and name not in run.refreshed:
            run.refreshed[name] = seen["op"]
    elif (said := event.get("diagnosticEvent")) and not said.get("ephemeral") and said["severity"] != "debug":
        run.messages.append(said["message"].strip())
