"""What a location's own environment must hold so that an agent can use it."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.errors import SettingsError

NEEDED = "dagster-cloud"


def require_dagster_cloud(locations: Sequence[CodeLocationFolder]) -> None:
    """Code servers and run workers speak to Dagster+ by the package ``dagster-cloud`` in their own environment.

    Raises ``SettingsError`` that names each location that does not depend on it.
    """
    lacking = [
        f"{location.origin}/pyproject.toml"
        for location in locations
        if location.image is None
        and NEEDED not in {canonicalize_name(Requirement(text).name) for text in location.requirements}
    ]
    if lacking:
        raise SettingsError(
            f"These code locations do not depend on {NEEDED}: {', '.join(lacking)}.",
            why="Their code servers and runs could not speak to Dagster+.",
            next_step=f'add "{NEEDED}" (the agent\'s release is best) to [project] dependencies there.',
        )
