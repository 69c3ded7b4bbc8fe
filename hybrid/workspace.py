"""Where things lie in a checkout: the one place that knows paths.

``.hybrid/`` holds everything that a machine makes and is not committed. The toolchain is kept per person, not per
checkout, so that a second clone does not build it again.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hybrid.errors import SettingsError

PROCESS_LOG: Final = "output.log"
"""A supervised process's log, in its folder."""

STACK_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class Workspace:
    """A checkout of this repository (or of a team's template of it)."""

    root: Path

    @classmethod
    def of_this_checkout(cls) -> Workspace:
        """The checkout that holds this module. ``HYBRID_ROOT`` overrides it, for tests."""
        return cls(Path(os.environ.get("HYBRID_ROOT") or Path(__file__).resolve().parents[1]))

    @property
    def private(self) -> Path:
        """What this machine makes."""
        return self.root / ".hybrid"

    @property
    def state(self) -> Path:
        """Pulumi's state, when no other backend is chosen."""
        return self.private / "state"

    @property
    def passphrase(self) -> Path:
        """The passphrase of the local state's secrets, mode 0600."""
        return self.private / "passphrase"

    @property
    def environments(self) -> Path:
        """Virtual environments of code locations, one per set of dependencies."""
        return self.private / "environments"

    @property
    def locations(self) -> Path:
        return self.root / "locations"

    @property
    def stack_files(self) -> Path:
        return self.root / "stacks"

    @property
    def policies(self) -> Path:
        """The policy pack."""
        return self.root / "policies"

    @property
    def virtualenv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """The project's interpreter, by one name: its path is part of what supervised processes are compared by."""
        return self.virtualenv / "bin" / "python"

    def stack_file(self, stack: str) -> Path:
        return self.stack_files / f"Pulumi.{checked_stack_name(stack)}.yaml"

    def stack_example(self, stack: str) -> Path:
        """The committed example from which a personal stack's file is made on first use."""
        return self.stack_files / f"{checked_stack_name(stack)}.example.yaml"

    def of_stack(self, stack: str) -> StackFolder:
        return StackFolder(self.private / "stacks" / checked_stack_name(stack))


@dataclass(frozen=True)
class StackFolder:
    """What one stack keeps on this machine."""

    root: Path

    @property
    def emulator(self) -> Path:
        """The embedded Dagster+'s data."""
        return self.root / "emulator"

    @property
    def emulator_token(self) -> Path:
        """The API token of the embedded Dagster+'s administrator, mode 0600, written by the emulator itself."""
        return self.emulator / "api-token"

    @property
    def storage(self) -> Path:
        """Asset values that no IO manager of the team's own takes elsewhere."""
        return self.root / "storage"

    @property
    def paused(self) -> Path:
        """Which schedules and sensors were on before they were paused; there only while they are."""
        return self.root / "paused.json"

    @property
    def processes(self) -> Path:
        """One folder a supervised process."""
        return self.root / "processes"

    def process(self, name: str) -> Path:
        """The folder of a supervised process: its files, log and supervisor."""
        return self.processes / name


def checked_stack_name(name: str) -> str:
    """``name`` if it can be a stack's; it becomes part of paths."""
    if not STACK_NAME.fullmatch(name):
        raise SettingsError(
            f"'{name}' cannot be a stack's name.",
            why="A name is 1 to 40 lower-case letters, digits and dashes, and begins and ends with a letter or digit.",
            next_step="choose such a name, as in `hybrid up local`.",
        )
    return name


def tools_folder() -> Path:
    """Where tools are kept for this person: ``HYBRID_TOOLS``, else the cache folder of the platform's custom."""
    chosen = os.environ.get("HYBRID_TOOLS")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dagster-hybrid" / "tools"
