"""Whether a location's Dagster goes with the agent's: read from what is installed, or locked, without running it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from hybrid.delivery.dependencies import NEEDED
from hybrid.delivery.gate.findings import Finding, Severity

OLDER_MINORS: Final = 3
"""From how many minor releases behind the agent a location is warned about. Dagster has three to four a year and keeps
the protocol between agent and code compatible; a year behind is where somebody should look."""

_DAGSTER: Final = "dagster"
_PYTHON_IMAGE: Final = re.compile(r"(?:^|/)python:(\d+\.\d+(?:\.\d+)?)(?![\d.])")
_INTERPRETER: Final = re.compile(r"^version(?:_info)?\s*=\s*(\d+\.\d+\.\d+)", re.M)


@dataclass(frozen=True)
class Installed:
    """What an environment, or a lock, holds of Dagster."""

    shown: str
    """How a person knows it: a file's name, or `its environment`."""
    packages: Mapping[str, str]
    """``dagster`` and ``dagster-cloud`` with their versions, and what else was looked for, as far as they are there."""
    python: str | None = None
    """The interpreter's version; None: not known."""

    @classmethod
    def of_environment(cls, python: Path, further: Sequence[str] = ()) -> Installed:
        """The environment whose interpreter is ``python``: a file ``bin/python`` beside ``lib/python*``. ``further``:
        distributions to look for, too."""
        root = python.parent.parent
        folders = [str(folder) for folder in sorted(root.glob("lib/python*/site-packages"))]
        found: dict[str, str] = {}
        for name in (_DAGSTER, NEEDED, *further):
            for distribution in distributions(name=name, path=folders):
                found.setdefault(name, distribution.version)
        try:
            said = _INTERPRETER.search((root / "pyvenv.cfg").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            said = None
        return cls("its environment", found, said[1] if said else None)


def check_versions(
    location: str,
    installed: Installed,
    agent_version: str | None,
    *,
    requires_python: str | None = None,
    image_python: str | None = None,
    packages: Mapping[str, str] | None = None,
) -> list[Finding]:
    """What does not go together. ``agent_version`` is that of the agent's dagster-cloud; None: not known. ``packages``:
    what else must be there, each with the reason."""
    dagster, cloud = installed.packages.get(_DAGSTER), installed.packages.get(NEEDED)
    found = [
        _found(
            location,
            "error",
            f"{name} is not in {installed.shown}.",
            f'add "{name}" (the agent\'s release is best) to [project] dependencies: code servers and runs '
            "speak to Dagster+ by it.",
        )
        for name, version in ((_DAGSTER, dagster), (NEEDED, cloud))
        if version is None
    ]
    found += [
        _found(
            location,
            "error",
            f"{name} is not in {installed.shown}, and {reason}.",
            f'add "{name}" to [project] dependencies.',
        )
        for name, reason in (packages or {}).items()
        if name not in installed.packages
    ]
    if dagster and cloud and _version(dagster) != _version(cloud):
        found.append(
            _found(
                location,
                "error",
                f"dagster {dagster} and dagster-cloud {cloud} are not of one release.",
                f"require dagster=={cloud}, or dagster-cloud=={dagster}.",
            )
        )
    if cloud and agent_version:
        found += _against_agent(location, cloud, agent_version)
    return found + _pythons(location, requires_python, {"its interpreter": installed.python, "its image": image_python})


def python_of_image(reference: str) -> str | None:
    """The Python of an official image, from its tag as in ``python:3.12-slim``; None: the name does not tell."""
    found = _PYTHON_IMAGE.search(reference)
    return found[1] if found else None


def _against_agent(location: str, cloud: str, agent: str) -> list[Finding]:
    ours, theirs = _version(cloud), _version(agent)
    if ours is None or theirs is None:
        return []
    if ours > theirs:
        what = f"dagster-cloud {cloud} is newer than the agent's {agent}."
        step = f"upgrade the agent first, or require dagster-cloud<={agent} and the dagster of that release."
        return [_found(location, "error", what, step)]
    behind = theirs.minor - ours.minor if ours.major == theirs.major else OLDER_MINORS
    if behind < OLDER_MINORS:
        return []
    what = f"dagster-cloud {cloud} is {OLDER_MINORS} minor releases or more behind the agent's {agent}."
    return [_found(location, "warning", what, "upgrade the location's dagster and dagster-cloud.")]


def _pythons(location: str, required: str | None, pythons: Mapping[str, str | None]) -> list[Finding]:
    try:
        allowed = SpecifierSet(required) if required else None
    except InvalidSpecifier:
        return []  # the catalog has words for it
    return [
        _found(
            location,
            "error",
            f"`requires-python` is {required}, and {whose} has Python {python}.",
            "choose another Python there, or widen `requires-python`.",
        )
        for whose, python in pythons.items()
        if allowed is not None and python and not allowed.contains(_full(python), prereleases=True)
    ]


def _full(python: str) -> str:
    # an image of 3.12 holds the latest 3.12.x: a lower bound within 3.12 is not its fault
    return python if python.count(".") > 1 else f"{python}.99"


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _found(location: str, severity: Severity, what: str, step: str) -> Finding:
    return Finding(location, severity, None, what, step)
