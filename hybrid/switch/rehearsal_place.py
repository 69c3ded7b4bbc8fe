"""Where a rehearsal takes place: a copy of the checkout with a state of its own, and an embedded Dagster+ beside it.

Its commands get an environment with nothing of this shell in it but what programs and packages are found by: no token,
no login to a cloud, another home folder. The code of locations gets no more.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import psutil

from hybrid.errors import NotReadyError, StackBusyError
from hybrid.plus import Endpoint
from hybrid.redaction import Token
from hybrid.switch.rehearsal_containers import RehearsalContainers, name_of_rehearsal
from hybrid.switch.rehearsal_stack import MADE_UP
from hybrid.workspace import Workspace, tools_folder

_INHERITED: Final = (
    ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "TERM", "COLUMNS", "NO_COLOR")
    + ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    + ("http_proxy", "https_proxy", "no_proxy", "XDG_CACHE_HOME")
)
_OF_INSTALLERS: Final = ("UV_", "PIP_")
_NOT_COPIED: Final = (".git", ".hybrid", ".venv", "node_modules", "__pycache__", ".pytest_cache", ".mypy_cache")
_SERVES_SECONDS: Final = 60
_PLUS_ENDS_SECONDS: Final = 15
_COMMAND_ENDS_SECONDS: Final = 30
"""After Ctrl-C: an update ends what it has begun."""


@dataclass(frozen=True)
class EmulatedServerless:
    """What is not known of the real service, as it is assumed here (docs/unknowns.md)."""

    departure_seconds: int = 60
    hybrid_agents: Literal["running", "not-running", "hidden"] = "running"
    values_after_switch: bool = False

    def options(self) -> list[str]:
        """As ``hybrid emulator serve`` takes them."""
        return [
            *("--agent-type", "serverless", "--serverless-departure", str(self.departure_seconds)),
            *("--hybrid-on-serverless", self.hybrid_agents),
            *("--serverless-values-after-switch", "yes" if self.values_after_switch else "no"),
        ]


@dataclass(frozen=True)
class RehearsalPlace:
    """``root`` is a folder of the rehearsal's alone, ``real`` the checkout that it is of, ``port`` that of its Dagster+
    on 127.0.0.1, ``stack`` the stack's name in it."""

    root: Path
    real: Workspace
    port: int
    stack: str
    organization: str
    deployment: str
    containers: RehearsalContainers | None = None
    """None: nothing of it is on an engine."""
    further: Mapping[str, str] = field(default_factory=dict)
    """What its commands get in their environment besides; its Dagster+, which runs code, does not."""

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.root / "checkout")

    @property
    def values(self) -> Path:
        """Where stored values are copied to."""
        return self.root / "values"

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(url=self.url, organization=self.organization, deployment=self.deployment)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def journal(self) -> Path:
        return self.workspace.of_stack(self.stack).root / "switch.jsonl"

    @property
    def token(self) -> Token:
        return Token((self.root / "plus" / "api-token").read_text(encoding="utf-8").strip())

    def fill(self, config: Mapping[str, Any]) -> None:
        """Copy the checkout, and write the one stack file."""
        import yaml

        copy_of_checkout(self.real.root, self.workspace.root)
        for file in (*self.workspace.stack_files.glob("Pulumi.*.yaml"), self.workspace.stack_files / "pipeline.yaml"):
            file.unlink(missing_ok=True)  # other stacks are none of the rehearsal's; a pipeline's runs run code
        self.workspace.virtualenv.symlink_to(self.real.virtualenv.resolve())
        self.workspace.private.mkdir(mode=0o700)
        environments = self.root.parent / "environments"  # kept: the next rehearsal need not install anew
        environments.mkdir(exist_ok=True)
        self.workspace.environments.symlink_to(environments)
        plugins = Path.home() / ".pulumi" / "plugins"
        if self.containers is not None and plugins.is_dir():  # a home folder of its own has not Pulumi's for Docker
            (self.root / "home" / ".pulumi").mkdir(parents=True)
            (self.root / "home" / ".pulumi" / "plugins").symlink_to(plugins)
        text = yaml.safe_dump({"config": dict(config)}, sort_keys=False)
        self.workspace.stack_file(self.stack).write_text(text, encoding="utf-8")

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Of every process of the rehearsal, of what is ``given`` to this one."""
        kept = {name: each for name, each in given.items() if name in _INHERITED or name.startswith(_OF_INSTALLERS)}
        home = Path(given.get("HOME") or Path.home())
        made = {
            "HOME": str(self.root / "home"),
            "HYBRID_ROOT": str(self.workspace.root),
            "HYBRID_TOOLS": str(tools_folder()),
            # by which what is left over is known
            "HYBRID_PROCESS": str(self.root),
            "UV_CACHE_DIR": kept.get("UV_CACHE_DIR")
            or str(Path(given.get("XDG_CACHE_HOME") or home / ".cache") / "uv"),
            "PULUMI_CONFIG_PASSPHRASE": "rehearsal",  # of a state that ends with it
            "AWS_EC2_METADATA_DISABLED": "true",
            MADE_UP: "made up for a rehearsal",
        }
        settings = home / ".config" / "uv" / "uv.toml"
        if "UV_CONFIG_FILE" not in kept and settings.is_file():
            made["UV_CONFIG_FILE"] = str(settings)
        for name in ("NO_PROXY", "no_proxy"):
            made[name] = ",".join(filter(None, (kept.get(name), "127.0.0.1", "localhost")))
        return {**kept, **made}

    def hybrid(self, *arguments: str) -> tuple[int, str]:
        """A command, as a person types it there: its exit code and its standard output. The rest goes where ours
        goes."""
        environment = self.environment(os.environ) | dict(self.further)
        environment["DAGSTER_CLOUD_API_TOKEN"] = self.token.reveal()
        command = [sys.executable, "-m", "hybrid.cli.main", *arguments]
        # a group of its own: Ctrl-C comes to it once, from here
        process = subprocess.Popen(
            command, cwd=self.workspace.root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            text=True, process_group=0,
        )  # fmt: skip
        try:
            out, _ = process.communicate()
        except BaseException:
            _interrupt(process)
            raise
        return process.returncode, out

    @contextmanager
    def dagster_plus(self, assumed: EmulatedServerless) -> Iterator[None]:
        """The organization, while it serves. It ends with this process, however that ends."""
        command = [sys.executable, "-m", "hybrid.cli.main", "emulator", "serve", "--data", str(self.root / "plus")]
        named = ["--port", str(self.port), "--organization", self.organization, "--deployment", self.deployment]
        for address in self.containers.reached_at if self.containers else ():
            named += ["--also-listen", address]
        guarded = [sys.executable, "-m", "hybrid.emulator.serverless.guardian", *command, *named, *assumed.options()]
        (self.root / "home").mkdir(exist_ok=True)
        with (self.root / "plus.log").open("ab") as log:
            server = subprocess.Popen(
                guarded, env=self.environment(os.environ), stdin=subprocess.PIPE, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            self._await(server)
            yield
        finally:
            self._end(server)

    def _await(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _SERVES_SECONDS
        while not (self.root / "plus" / "api-token").exists() or not _listens(self.port):
            if server.poll() is not None or time.monotonic() > deadline:
                said = (self.root / "plus.log").read_text(encoding="utf-8", errors="replace").splitlines()[-10:]
                raise NotReadyError("The rehearsal's Dagster+ did not come up.", why="\n".join(said))
            time.sleep(0.1)

    def _end(self, server: subprocess.Popen[bytes]) -> None:
        if server.stdin is not None:
            with suppress(BrokenPipeError):
                server.stdin.write(b"e")  # gently
                server.stdin.flush()
            with suppress(subprocess.TimeoutExpired):
                server.wait(_PLUS_ENDS_SECONDS)
            server.stdin.close()  # which ends at once whatever is left
        server.wait()

    def sweep(self) -> None:
        """End what a rehearsal that was killed has left."""
        for process in _processes_of(self.root):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self.containers is not None:
            self.containers.sweep(self.stack)


@contextmanager
def place_for(
    real: Workspace,
    stack: str,
    *,
    organization: str,
    deployment: str,
    keep: bool = False,
    containers: RehearsalContainers | None = None,
    further: Mapping[str, str] | None = None,
) -> Iterator[RehearsalPlace]:
    """A place under ``.hybrid/rehearsals/``, always at the same path, so that what is installed can be used again. With
    ``keep`` it is left there. Raises ``StackBusyError`` when another rehearsal of the stack is at work."""
    import fcntl

    folder = real.private / "rehearsals"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / f"{stack}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StackBusyError(
                f"Another rehearsal of '{stack}' is at work in this checkout.", next_step="wait for it to end."
            ) from None
        named = stack if containers is None else name_of_rehearsal(real.root, stack)
        place = RehearsalPlace(
            folder / stack, real, free_port(), named, organization, deployment, containers, further or {}
        )
        place.sweep()
        shutil.rmtree(place.root, ignore_errors=True)
        place.root.mkdir(mode=0o700)
        try:
            yield place
        finally:
            place.sweep()
            if not keep:
                shutil.rmtree(place.root, ignore_errors=True)


def copy_of_checkout(source: Path, target: Path) -> None:
    """What git has or would take, as it is now; where there is no git, all but what machines make."""
    listed = _listed_by_git(source)
    if listed is None:
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        return
    for name in listed:
        found, copy = source / name, target / name
        if not (found.is_file() or found.is_symlink()):
            continue  # deleted and not committed, or a submodule
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(found, copy, follow_symlinks=False)


def _listed_by_git(source: Path) -> list[str] | None:
    command = ["git", "-C", str(source), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    except OSError:
        return None
    if ended.returncode != 0 or not (source / ".git").exists():
        return None
    return [os.fsdecode(name) for name in ended.stdout.split(b"\0") if name]


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _interrupt(process: subprocess.Popen[str]) -> None:
    """As a person would, and then no longer patient: a second Ctrl-C comes here, too."""
    process.send_signal(signal.SIGINT)
    try:
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_COMMAND_ENDS_SECONDS)
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _processes_of(root: Path) -> Iterator[psutil.Process]:
    """Those that carry the rehearsal's folder in their environment, but for this one."""
    marks = (str(root), str(root.resolve()))
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid():
                continue
            marked = process.environ().get("HYBRID_PROCESS", "")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if any(marked == mark or marked.startswith(f"{mark}/") for mark in marks):
            yield process


__all__ = ["EmulatedServerless", "RehearsalPlace", "copy_of_checkout", "free_port", "place_for"]
