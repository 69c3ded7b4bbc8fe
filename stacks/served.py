"""Which code locations a stack serves, as its settings choose them."""

from __future__ import annotations

from dataclasses import replace

from hybrid.delivery.catalog import CodeLocationFolder, find_code_locations
from hybrid.delivery.dependencies import require_asset_values, require_dagster_cloud
from hybrid.delivery.project import CodeSource
from hybrid.delivery.references import LocationImage, LocationPath, LocationReference, NamedLocation
from hybrid.delivery.repository import repositories_of
from hybrid.errors import SettingsError
from hybrid.workspace import Workspace
from stacks.delivery_settings import LocationAtPath, LocationOfImage, ServedLocation
from stacks.identity import StackIdentity


def served_locations(workspace: Workspace, who: StackIdentity) -> tuple[CodeLocationFolder, ...]:
    """The stack's locations, with the build files of its environment.

    With a queue of the stack's own, those that name none are on it.

    Raises ``SettingsError`` for a wrong folder, a name that no folder has, a pin of a location that is not served, a
    queue that the stack's agent does not take, or a location whose environment could not speak to Dagster+.
    """
    settings = who.settings
    wanted = None if settings.locations is None else [_reference(each) for each in settings.locations]
    folders = find_code_locations(workspace.root, wanted, environment=settings.environment)
    if settings.own_queue is not None:
        _refuse_strange_moved(who, folders)
        own = settings.own_queue.name
        folders = tuple(replace(folder, agent_queue=folder.agent_queue or own) for folder in folders)
    require_dagster_cloud(folders)
    _refuse_strange_pins(who, folders)
    if settings.phase != "standby":  # the agent takes nothing then, and nothing of the stack is registered
        _refuse_strange_queues(who, folders)
    if settings.registry is not None:
        repositories_of(settings.registry.address, [folder.name for folder in folders if folder.kind == "folder"])
    if not settings.agent.needs_images:
        if settings.asset_values.io_manager:
            require_asset_values(folders)  # of what runs from images the gate looks at what is installed
        _refuse_images(who, folders)
    return folders


def _reference(served: ServedLocation) -> LocationReference:
    match served:
        case LocationAtPath():
            return LocationPath(served.path)
        case LocationOfImage():
            return LocationImage(
                image=served.image,
                name=served.name,
                code_source=_code_source(served),
                working_directory=served.working_directory,
                executable_path=served.executable_path,
                attribute=served.attribute,
                agent_queue=served.agent_queue,
                container_context={str(name): context for name, context in served.container_context.items()},
            )
        case _:
            return NamedLocation(served)


def _code_source(served: LocationOfImage) -> CodeSource:
    if served.module_name:
        return CodeSource("module_name", served.module_name)
    if served.package_name:
        return CodeSource("package_name", served.package_name)
    return CodeSource("python_file", served.python_file or "")


def _refuse_strange_pins(who: StackIdentity, folders: tuple[CodeLocationFolder, ...]) -> None:
    strange = sorted(who.settings.pins.keys() - {folder.name for folder in folders})
    if strange:
        raise SettingsError(
            f"hybrid:pins in stacks/Pulumi.{who.stack}.yaml names {', '.join(strange)}, which it does not serve.",
            why=f"It serves: {', '.join(folder.name for folder in folders) or 'none'}.",
            next_step=f"take it out: `hybrid locations unpin {who.stack} {strange[0]}`.",
        )


def _refuse_strange_moved(who: StackIdentity, folders: tuple[CodeLocationFolder, ...]) -> None:
    own = who.settings.own_queue
    strange = sorted(set(own.locations if own else ()) - {folder.name for folder in folders})
    if strange:
        raise SettingsError(
            f"hybrid:ownQueue.locations in stacks/Pulumi.{who.stack}.yaml names {', '.join(strange)}, which the stack "
            "does not serve.",
            why=f"It serves: {', '.join(folder.name for folder in folders) or 'none'}.",
            next_step="add it to hybrid:locations, or take it out there.",
        )


def _refuse_strange_queues(who: StackIdentity, folders: tuple[CodeLocationFolder, ...]) -> None:
    """Known here in no time; Dagster+ would let the location wait for an agent that never comes."""
    queues = who.settings.agent.queues
    for folder in folders:
        if (folder.agent_queue is None and queues.include_default) or folder.agent_queue in queues.additional:
            continue
        queue = f"the queue '{folder.agent_queue}'" if folder.agent_queue else "the default queue"
        raise SettingsError(
            f"The code location {folder.name} is on {queue}, which this stack's agent does not take.",
            why="It would never be loaded.",
            next_step=f"add it to hybrid:agent.queues in stacks/Pulumi.{who.stack}.yaml, change `agent_queue` of the "
            "location, or leave the location to the stack whose agent takes it (hybrid:locations).",
        )


def _refuse_images(who: StackIdentity, folders: tuple[CodeLocationFolder, ...]) -> None:
    images = [folder.name for folder in folders if folder.kind == "image"]
    if images:
        raise SettingsError(
            f"The stack '{who.stack}' serves {', '.join(images)} from an image, and a local agent runs none.",
            next_step="serve it from its folder, or by an agent that runs containers.",
        )
