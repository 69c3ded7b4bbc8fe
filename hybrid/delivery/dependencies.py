"""What a location's own environment must hold so that an agent can use it."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.delivery.requirement_files import REQUIREMENTS, SETUP
from hybrid.errors import SettingsError

PYPROJECT = "pyproject.toml"
NEEDED = "dagster-cloud"
ASSET_VALUES = "dagster-asset-values"
"""What code locations install of this repository: the room ``asset_values``."""


def require_dagster_cloud(locations: Sequence[CodeLocationFolder]) -> None:
    """Code servers and run workers speak to Dagster+ by the package ``dagster-cloud`` in their own environment.

    Raises ``SettingsError`` that names each location that does not depend on it.
    """
    if lacking := _lacking(NEEDED, locations):
        raise SettingsError(
            f"These code locations do not depend on {NEEDED}: {', '.join(lacking)}.",
            why="Their code servers and runs could not speak to Dagster+.",
            next_step=f'add "{NEEDED}" (the agent\'s release is best) to the dependencies there.',
        )


def require_asset_values(locations: Sequence[CodeLocationFolder]) -> None:
    """The IO manager that a stack sets for all assets without one of their own is in ``dagster-asset-values``.

    Raises ``SettingsError`` that names each location that does not depend on it: it would load, and its runs would
    fail when they store their first value.
    """
    if lacking := _lacking(ASSET_VALUES, locations):
        raise SettingsError(
            f"These code locations do not depend on {ASSET_VALUES}: {', '.join(lacking)}.",
            why="`hybrid:assetValues.ioManager` has their runs store and load by an IO manager that is in it.",
            next_step="make its wheel with `hybrid assets library --into DIR` and add it to the dependencies "
            "there (docs/assets.md), or let `ioManager` be false.",
        )


def _lacking(needed: str, locations: Sequence[CodeLocationFolder]) -> list[str]:
    return [
        f"{location.origin}/{_file_of(location)}"
        for location in locations
        if location.image is None
        and needed not in {canonicalize_name(Requirement(text).name) for text in location.requirements}
    ]


def _file_of(location: CodeLocationFolder) -> str:
    """Where its dependencies are listed."""
    names = (PYPROJECT, REQUIREMENTS, SETUP)
    return next((name for name in names if (location.folder / name).is_file()), PYPROJECT)
