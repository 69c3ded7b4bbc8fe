"""A stack's program run with nobody behind it, and what it asked for: for a review without any credentials.

The process that does it has an environment of its own, with nothing of this one's: no home, no credentials, no address
of a service. Texts that are secret are in neither; what stands for them is ``state_copy``'s.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from hybrid.engine import backend
from hybrid.engine.state_copy import WITHHELD, plain_config, secret_config
from hybrid.errors import EngineError
from hybrid.redaction import redact

CHECKOUT: Final = "<checkout>"
"""What stands for the folder of the checkout in every text of a recording (``mocked_program`` says it, too)."""

_PROGRAM: Final = Path(__file__).with_name("mocked_program.py")
_VARIABLES: Final = "hybrid:environmentVariables"
_SECONDS: Final = 300
_LARGEST: Final = 128 * 1024 * 1024
"""Bytes of a recording. One of 100 resources has 200 KB."""
_LAST_WORDS: Final = 4000
# what an interpreter may need to start at all
_INHERITED: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")


@dataclass(frozen=True)
class StackConfig:
    """A stack's configuration as a program gets it. ``secrets`` names the keys whose value is secret."""

    values: Mapping[str, str]
    secrets: frozenset[str]

    @classmethod
    def of_file(cls, text: str, base: str | None) -> StackConfig:
        """From a stack file, its secrets withheld. ``base``: the file that a secret's ciphertext is compared with.

        Raises ``SettingsError`` for a file that is not YAML.
        """
        hidden = secret_config(text, base)
        return cls({**plain_config(text), **hidden}, frozenset(hidden))

    @property
    def taken_from_environment(self) -> tuple[str, ...]:
        """Variables of the environment that settings name as where a value comes from."""
        try:
            listed = json.loads(self.values.get(_VARIABLES, "[]"))
        except ValueError:
            return ()
        entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        named = [each.get("fromEnvironment") or each.get("from_environment") for each in entries]
        return tuple(name for name in named if isinstance(name, str) and name and not set(name) & {"=", "\0"})


@dataclass(frozen=True)
class Program:
    """Whose program is run, over which settings, for which stack."""

    code: Path
    """The checkout whose `stacks/__main__.py` is run."""
    settings: Path
    """The checkout with stack files and locations; the same folder, or that of another commit."""
    stack: str
    config: StackConfig
    marks: Mapping[str, str] = field(default_factory=dict)
    """By name of a resource, what tells its content apart where its inputs do not; absent: as at the base."""
    contents: Mapping[str, str] = field(default_factory=dict)
    """The same for folders of code, by their paths with ``CHECKOUT``."""


class Recorded(BaseModel):
    """One resource that a program asked for. ``inputs`` and ``outputs`` as the engine has them, what only the update
    will know as ``events.UNKNOWN``; of a secret there is only a mark that is another for another value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    urn: str
    custom: bool
    """False for a component, which is a frame around others."""
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    """Made up, so that what follows from a change is seen to change."""
    retained: bool
    """Whether the thing stays when the resource goes."""
    depends_on: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    """URNs that it had before."""

    @property
    def type(self) -> str:
        return self.urn.split("::")[2].rpartition("$")[2]

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]


class Recording(BaseModel):
    """What a program asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resources: tuple[Recorded, ...]
    asked: tuple[str, ...] = ()
    """Data sources that it asked, which were answered with something made up."""

    def by_urn(self) -> dict[str, Recorded]:
        """Things that stand somewhere, without components and Pulumi's own; each after what it depends on."""
        told = {each.urn: each for each in self.resources if each.custom and not each.type.startswith("pulumi:")}
        return {urn: told[urn] for urn in _in_order(self.resources) if urn in told}

    def of_type(self, token: str) -> Iterator[Recorded]:
        return (each for each in self.resources if each.type == token)


def record(program: Program) -> Recording:
    """Run ``program`` and say what it asked for. Equal programs give equal recordings.

    Raises ``EngineError``: the program ended with an error, asked somebody, or took too long.
    """
    with TemporaryDirectory(prefix="hybrid-recording-") as folder:
        result = Path(folder) / "recording.json"
        try:
            process = subprocess.run(
                # -I: neither the environment nor the current folder says what is imported
                [sys.executable, "-I", str(_PROGRAM)],
                cwd=folder,
                env=_environment(program, folder),
                input=_order(program, result),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _failed(program, f"It did not end within {_SECONDS} s.") from None
        return _read(program, result, process.stderr)


def _order(program: Program, result: Path) -> str:
    return json.dumps(
        {
            "code": str(program.code.absolute()),
            "settings": str(program.settings.absolute()),
            "project": backend.PROJECT,
            "stack": program.stack,
            "config": dict(program.config.values),
            "secrets": sorted(program.config.secrets),
            "marks": dict(program.marks),
            "contents": dict(program.contents),
            "result": str(result),
        }
    )


def _environment(program: Program, home: str) -> dict[str, str]:
    given = dict.fromkeys(program.config.taken_from_environment, WITHHELD)
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    own = {"PATH": os.defpath, "HOME": home, "HYBRID_ROOT": str(program.settings.absolute()), "LC_ALL": "C.UTF-8"}
    return {**given, **kept, **own, "AWS_EC2_METADATA_DISABLED": "true"}


def _read(program: Program, result: Path, words: str) -> Recording:
    try:
        with result.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError:
        raise _failed(program, redact(words.strip())[-_LAST_WORDS:] or "It ended without a word.") from None
    if len(content) > _LARGEST:
        raise _failed(program, f"It asks for more than {_LARGEST // 1024**2} MB of resources.")
    try:
        said = json.loads(content)
        if isinstance(said, dict) and "error" in said:
            raise _failed(program, redact(str(said["error"]))[:_LAST_WORDS])
        return Recording.model_validate(said)
    except (ValueError, RecursionError, ValidationError):
        raise _failed(program, "What it wrote down cannot be read.") from None


def _failed(program: Program, why: str) -> EngineError:
    return EngineError(
        f"The program of the stack '{program.stack}' could not be run offline.",
        why=why,
        next_step="mend that; `hybrid review` without --offline shows whether it is so with an engine, too.",
    )


def _in_order(resources: Sequence[Recorded]) -> list[str]:
    """URNs, each after those that it depends on, else by name: programs ask in no certain order."""
    graph = {each.urn: {*each.depends_on} - {each.urn} for each in resources}
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError:
        return sorted(graph)
    found: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        found += ready
        sorter.done(*ready)
    return found
