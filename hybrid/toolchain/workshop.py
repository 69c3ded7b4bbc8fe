"""Programs compiled from Go modules in a throw-away folder.

A recipe is a ``go.mod`` and ``go.sum``, so that what is fetched is held against hashes. The person's settings of Go
(proxy, caches, checksums) count.
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
from hybrid.toolchain.pulumi import RouteError
from hybrid.toolchain.version import Version

_FIRST_GO_THAT_GETS_NEWER_ONES: Final = Version(1, 21, 0)


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
    """A program that is copied out of ``module``, of the version that ``recipe`` has."""

    name: str
    recipe: str
    module: str
    path: str


def usable_go(machine: Machine, needed: Version) -> Path:
    """The machine's Go. Raises ``RouteError`` when it is missing, or older than ``needed`` and gets no newer one."""
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
    if found is None or (found < needed and not (found >= _FIRST_GO_THAT_GETS_NEWER_ONES and gets_newer)):
        raise RouteError(f"{go} is {found}; {needed} or newer is needed")
    return go


@dataclass(frozen=True)
class Recipes:
    """The folder with ``<recipe>.go.mod`` and ``<recipe>.go.sum``."""

    folder: Path

    def needed_go(self, recipe: str) -> Version:
        """The oldest Go that compiles it, as the module says."""
        line = re.search(r"^go (\S+)$", self.read(f"{recipe}.go.mod"), flags=re.MULTILINE)
        return (Version.within(line[1]) if line else None) or Version(0, 0, 0)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Workshop:
    """The folder of throw-away modules while a build goes on. What is whole is moved to ``finished``."""

    machine: Machine
    go: Path
    recipes: Recipes
    folder: Path
    finished: Path
    report: Callable[[str], None]

    def compiled(self, binary: Binary) -> None:
        """Compile it, unless it is finished already. Raises ``RouteError`` with Go's last words."""
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
        output = self.folder / script.name
        shutil.copyfile(self.source(script.module, script.recipe) / script.path, output)
        self._put(output, script.name)

    def source(self, module: str, recipe: str) -> Path:
        """The folder with a module's files, of the version that ``recipe`` has. Raises ``RouteError``."""
        answer = self._go("mod", "download", "-json", module, recipe=recipe)
        try:
            return Path(json.loads(answer.output)["Dir"])
        except (ValueError, KeyError):
            raise RouteError(f"the Go module {module} could not be fetched: {answer.last_words}") from None

    def module(self, recipe: str) -> Path:
        """The throw-away module of a recipe."""
        module = self.folder / recipe
        if not module.exists():
            module.mkdir(parents=True)
            for name in ("go.mod", "go.sum"):
                (module / name).write_text(self.recipes.read(f"{recipe}.{name}"), encoding="utf-8")
        return module

    def _go(self, *arguments: str, recipe: str) -> Answer:
        folder = self.module(recipe)
        return self.machine.run([str(self.go), *arguments], _environ(self.machine), folder=folder, seconds=3600)

    def _put(self, output: Path, name: str) -> None:
        output.chmod(0o755)
        self.finished.mkdir(parents=True, exist_ok=True)
        output.replace(self.finished / name)


def _environ(machine: Machine) -> dict[str, str]:
    """The person's settings of Go are kept; what would build something else is not."""
    kept = {name: value for name, value in machine.environ.items() if name not in ("GOOS", "GOARCH", "GO111MODULE")}
    return {**kept, "GOWORK": "off", "CGO_ENABLED": "0"}  # as Pulumi's releases: no C compiler is asked for
