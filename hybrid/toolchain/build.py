"""Pulumi from Go modules, for machines that reach a Go module proxy but not Pulumi's own servers.

The engine and the Python language host are built from two throw-away modules whose ``go.mod`` and ``go.sum`` are in
``recipes/``: what is fetched is held against these hashes. The language host is of an older release than the engine,
the last that is published as a module together with its helper (sdk/v3 v3.79.0, python/cmd); the engine speaks its
protocol still. Such a host ignores ``runtime.options``: the project's virtual environment must come first on PATH.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hybrid.toolchain.machine import Answer, Machine
from hybrid.toolchain.pulumi import PYTHON_HOST, Pulumi, RouteError, kept_here, record
from hybrid.toolchain.version import Version

ENGINE_VERSION: Final = "3.259.0"

_RECIPES: Final = Path(__file__).parent / "recipes"
_FIRST_GO_THAT_GETS_NEWER_ONES: Final = Version(1, 21, 0)
_SDK: Final = "github.com/pulumi/pulumi/sdk/v3"


@dataclass(frozen=True)
class Binary:
    """A program that is compiled: ``recipe`` names the module, ``minutes`` is what two cores take the first time."""

    name: str
    recipe: str
    package: str
    minutes: str
    settings: str = ""


@dataclass(frozen=True)
class Script:
    """A program that is copied out of the SDK's module, of the version that ``recipe`` has."""

    name: str
    recipe: str
    path: str


ENGINE: Final = Binary(
    "pulumi",
    "engine",
    "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    "4 to 8 minutes",
    f" -X {_SDK}/go/common/version.Version=v{ENGINE_VERSION}",
)
HOST: Final = Binary(PYTHON_HOST, "host", f"{_SDK}/python/cmd/pulumi-language-python", "1 minute")
SCRIPTS: Final = (
    Script("pulumi-language-python-exec", "host", "python/cmd/pulumi-language-python-exec"),
    Script("pulumi-resource-pulumi-python", "engine", "python/dist/pulumi-resource-pulumi-python"),
)


def build(machine: Machine, report: Callable[[str], None]) -> Pulumi:
    """Build what is not yet built, each part put in its place when it is whole. Raises ``RouteError``."""
    go = _usable_go(machine)
    folder, workshop = kept_here(machine) / ENGINE_VERSION, kept_here(machine) / ".build"
    shutil.rmtree(workshop, ignore_errors=True)
    try:
        made = _Workshop(machine, go, workshop, folder / "bin", report)
        for script in SCRIPTS:
            made.copied(script)
        for binary in (HOST, ENGINE):
            made.compiled(binary)
        record(folder, "build")
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return Pulumi(folder / "bin" / ENGINE.name, ENGINE_VERSION, "build", folder / "bin")


def needed_go() -> Version:
    """The oldest Go that compiles the engine, as its module says."""
    line = re.search(r"^go (\S+)$", _recipe("engine.go.mod"), flags=re.MULTILINE)
    return (Version.within(line[1]) if line else None) or Version(0, 0, 0)


def go_refusal(machine: Machine) -> str | None:
    """Why the machine's Go cannot build Pulumi; None when it can."""
    try:
        _usable_go(machine)
    except RouteError as error:
        return str(error)
    return None


def _usable_go(machine: Machine) -> Path:
    go = machine.which("go")
    if go is None:
        raise RouteError("it needs Go, which is not on PATH")
    answer = machine.run([str(go), "env", "-json", "GOVERSION", "GOTOOLCHAIN"], _environ(machine), seconds=60)
    try:
        said = json.loads(answer.output)
        found, choice = Version.within(said["GOVERSION"]), str(said.get("GOTOOLCHAIN", ""))
    except (ValueError, KeyError):
        raise RouteError(f"{go} does not say which version it is: {answer.last_words}") from None
    gets_newer = choice == "auto" or choice.endswith("+auto")
    if found is None or (found < needed_go() and not (found >= _FIRST_GO_THAT_GETS_NEWER_ONES and gets_newer)):
        raise RouteError(f"{go} is {found}; {needed_go()} or newer is needed")
    return go


@dataclass(frozen=True)
class _Workshop:
    """The folder of throw-away modules while a build goes on."""

    machine: Machine
    go: Path
    folder: Path
    finished: Path
    report: Callable[[str], None]

    def compiled(self, binary: Binary) -> None:
        if (self.finished / binary.name).exists():
            return
        self.report(f"Building {binary.name} from Go modules (about {binary.minutes} the first time)")
        begun = time.monotonic()
        output = self.folder / binary.name
        flags = ["-mod=readonly", "-trimpath", "-ldflags", f"-s -w{binary.settings}", "-o", str(output)]
        answer = self._go("build", *flags, binary.package, recipe=binary.recipe)
        if answer.code != 0:
            raise RouteError(f"building {binary.name} failed: {answer.last_words}")
        self._put(output, binary.name)
        self.report(f"Built {binary.name} in {time.monotonic() - begun:.0f} s")

    def copied(self, script: Script) -> None:
        if (self.finished / script.name).exists():
            return
        self.report(f"Fetching {script.name}")
        answer = self._go("mod", "download", "-json", _SDK, recipe=script.recipe)
        try:
            source = Path(json.loads(answer.output)["Dir"])
        except (ValueError, KeyError):
            raise RouteError(f"the Go module {_SDK} could not be fetched: {answer.last_words}") from None
        output = self.folder / script.name
        shutil.copyfile(source / script.path, output)
        self._put(output, script.name)

    def _go(self, *arguments: str, recipe: str) -> Answer:
        module = self.folder / recipe
        if not module.exists():
            module.mkdir(parents=True)
            for name in ("go.mod", "go.sum"):
                (module / name).write_text(_recipe(f"{recipe}.{name}"), encoding="utf-8")
        return self.machine.run([str(self.go), *arguments], _environ(self.machine), folder=module, seconds=3600)

    def _put(self, output: Path, name: str) -> None:
        output.chmod(0o755)
        self.finished.mkdir(parents=True, exist_ok=True)
        output.replace(self.finished / name)


def _environ(machine: Machine) -> dict[str, str]:
    """The person's settings of Go (proxy, caches, checksums) are kept; what would build something else is not."""
    kept = {name: value for name, value in machine.environ.items() if name not in ("GOOS", "GOARCH", "GO111MODULE")}
    return {**kept, "GOWORK": "off", "CGO_ENABLED": "0"}  # as Pulumi's releases: no C compiler is asked for


def _recipe(name: str) -> str:
    return (_RECIPES / name).read_text(encoding="utf-8")
