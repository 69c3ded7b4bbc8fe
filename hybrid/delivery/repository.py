"""The repository of a code location's image, from the registry's address and the location's name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from hybrid.errors import SettingsError

AGENT: Final = "hybrid-agent"
"""The last part of the repository that the agent's own image has."""

# A part of a repository's name (OCI distribution specification, 1.1, "Pulling manifests").
_PART: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_LONGEST: Final = 255  # characters of host and name together; registries refuse more


def repository_of(address: str, name: str) -> str:
    """``{address}/{name in lower case}``, the repository of the location ``name``.

    Raises ``SettingsError`` for a name that no repository can have.
    """
    part = name.lower()
    if not _PART.fullmatch(part):
        raise SettingsError(
            f"The code location '{name}' can have no image repository of its name.",
            why="A repository's name, in lower case, is letters and digits, with single '.', one or two '_' or some "
            "'-' between them, not at its ends.",
            next_step="change `code_location_name` in its pyproject.toml.",
        )
    if part == AGENT:
        raise SettingsError(
            f"The code location '{name}' would have the repository of the agent's own image.",
            next_step="change `code_location_name` in its pyproject.toml.",
        )
    repository = f"{address.rstrip('/')}/{part}"
    if len(repository) > _LONGEST:
        raise SettingsError(
            f"The repository of the code location '{name}' has more than {_LONGEST} characters.",
            why=repository,
            next_step="shorten the location's name or `hybrid:registry`.",
        )
    return repository


def repositories_of(address: str, names: Iterable[str]) -> dict[str, str]:
    """The repository of each of ``names``.

    Raises ``SettingsError`` also for two names that differ only in capitals: they would push to one repository.
    """
    found: dict[str, str] = {}
    owners: dict[str, str] = {}
    for name in names:
        repository = repository_of(address, name)
        other = owners.setdefault(repository, name)
        if other != name:
            raise SettingsError(
                f"The code locations '{other}' and '{name}' would have one image repository, {repository}.",
                why="Repositories have no capitals, so the image of one would be taken for the other's.",
                next_step="change `code_location_name` in the pyproject.toml of one of them.",
            )
        found[name] = repository
    return found
