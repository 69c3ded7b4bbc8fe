"""Which code locations a stack serves: the folders of the checkout, as its settings choose them."""

from __future__ import annotations

from hybrid.delivery.catalog import CodeLocationFolder, find_code_locations
from hybrid.delivery.dependencies import require_dagster_cloud
from hybrid.errors import SettingsError
from hybrid.workspace import Workspace
from stacks.identity import StackIdentity
from stacks.settings import Settings


def served_locations(workspace: Workspace, who: StackIdentity) -> tuple[CodeLocationFolder, ...]:
    """The stack's locations. Raises ``SettingsError`` for a wrong folder, a name that no folder has, or a location
    whose environment could not speak to Dagster+."""
    folders = _selected(find_code_locations(workspace.root), who.settings, stack=who.stack)
    require_dagster_cloud(folders)
    return folders


def _selected(
    folders: tuple[CodeLocationFolder, ...], settings: Settings, *, stack: str
) -> tuple[CodeLocationFolder, ...]:
    """The folders that the stack serves. Raises ``SettingsError`` for a name that no folder has."""
    if settings.locations is None:
        return folders
    by_name = {folder.name: folder for folder in folders}
    unknown = [name for name in settings.locations if name not in by_name]
    if unknown:
        raise SettingsError(
            f"hybrid:locations in stacks/Pulumi.{stack}.yaml names {', '.join(unknown)}, which no folder is.",
            why=f"Under locations/ there are: {', '.join(sorted(by_name)) or 'none'}.",
            next_step="mend the list, or remove it to serve all.",
        )
    return tuple(by_name[name] for name in settings.locations)
