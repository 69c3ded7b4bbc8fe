"""Which code locations there are: those of the folders under ``locations/``, of folders elsewhere and of images built
elsewhere, each read into ``CodeLocationFolder``.

Read from each folder: ``pyproject.toml`` and ``dg.toml`` (see ``project``) or ``dagster_cloud.yaml`` (see ``legacy``),
``build.yaml`` and ``container_context.yaml`` with an environment's overlays (see ``build_files``), and a lock of its
requirements, or else the lists of older shapes (see ``requirement_files``). Nothing is imported or run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from hybrid.delivery import legacy
from hybrid.delivery.build_files import PLATFORMS as PLATFORMS
from hybrid.delivery.build_files import Build as Build
from hybrid.delivery.build_files import build_files, is_folder_below
from hybrid.delivery.environment import BUILD, CONTAINER_CONTEXT, without_nulls
from hybrid.delivery.legacy import LegacyFile, LegacyLocation
from hybrid.delivery.project import (
    DG,
    DG_TOML,
    GUIDED,
    NAME,
    NAME_IN_WORDS,
    CodeSource,
    Project,
    Requirements,
    workspace_projects,
)
from hybrid.delivery.references import (
    LocationImage,
    LocationPath,
    LocationReference,
    NamedLocation,
    folder_at,
)
from hybrid.delivery.requirement_files import listed_in_folder
from hybrid.delivery.sources import Place, Source, raise_all
from hybrid.errors import SettingsError

_LOCK_BYTES: Final = 8 * 1024 * 1024  # a lock with hashes of a few hundred packages takes one megabyte


@dataclass(frozen=True)
class CodeLocationFolder:
    """A code location as it lies in its folder; paths are absolute."""

    name: str
    folder: Path
    """Where its code lies; of an image that is built elsewhere the checkout."""
    code_source: CodeSource
    working_directory: Path
    """What Python imports from on this machine: ``src`` where there is one, else the folder."""
    requirements: tuple[str, ...]
    """``[project] dependencies``, PEP 508."""
    lock: Path | None
    """``requirements.lock``, else a ``requirements.txt`` with hashes; None: neither."""
    requires_python: str | None
    build: Build
    container_context: Mapping[str, Any]
    """By platform, the environment's overlays laid over it; empty: nothing said."""
    agent_queue: str | None
    """None: the default queue."""
    image: str | None
    """An image built elsewhere (``[tool.dg.project] image``)."""
    kind: Literal["folder", "image"] = "folder"
    """image: there is no folder, only what the stack's file says."""
    origin: str = ""
    """The folder as people write it, such as locations/hello; of an image its reference."""
    attribute: str | None = None
    """What of the module is loaded (dagster_cloud.yaml only). None: all that Dagster finds."""
    executable_path: str | None = None
    """The Python in the image, where one is named (dagster_cloud.yaml only)."""
    directory_in_image: str | None = None
    """The working directory in the image, where one is named (dagster_cloud.yaml only)."""
    shares_folder: bool = False
    """Whether another location has the same folder; then an overlay of its build files is of both."""
    files: tuple[str, ...] = ()
    """The files that it was read from, as errors show them."""


def find_code_locations(
    root: Path, wanted: Sequence[LocationReference] | None = None, *, environment: str | None = None
) -> tuple[CodeLocationFolder, ...]:
    """The locations that ``wanted`` names, in its order; without it all under ``locations/`` of the checkout ``root``,
    by folder name. With an ``environment`` its overlays are laid over the build files.

    Hidden folders and mere leftovers (bytecode of a location that another branch has) are none. A folder under
    ``locations/`` that is wrong does not hold up locations that are named and found elsewhere.

    Raises one ``SettingsError`` for everything that is wrong, with files and lines.
    """
    root = root.resolve()
    under = _Reading(environment)
    if wanted is None or any(isinstance(each, NamedLocation) for each in wanted):
        under.read_all(Place(root / "locations", "locations"))
    chosen = under if wanted is None else _Reading(environment)
    for reference in wanted or ():
        chosen.choose(reference, root, under)
    raise_all([*chosen.wrong, *_repeated_names(chosen.found)], where="with the code locations")
    # also with one that this stack does not serve: another stack of the environment may
    owners = {(each.folder, each.name) for each in [*under.found, *chosen.found] if each.kind == "folder"}
    folders = Counter(folder for folder, _ in owners)
    return tuple(replace(each, shares_folder=folders[each.folder] > 1) for each in chosen.found)


@dataclass
class _Reading:
    """What was found so far, and what was wrong."""

    environment: str | None
    found: list[CodeLocationFolder] = field(default_factory=list)
    wrong: list[SettingsError] = field(default_factory=list)

    def read_all(self, parent: Place) -> None:
        """Every folder below ``parent``, whose own container context is common to all."""
        for folder in sorted(parent.path.iterdir()) if parent.path.is_dir() else ():
            if folder.name.startswith((".", "__")) or not (folder.is_dir() or folder.is_symlink()):
                continue
            try:
                if _holds_anything(folder):
                    self.found += _read(parent.below(folder.name), self.environment, (parent,))
            except SettingsError as error:
                self.wrong.append(error)

    def choose(self, reference: LocationReference, root: Path, under: _Reading) -> None:
        """Take what ``reference`` names. What is wrong under ``locations/`` counts when a name is not found there."""
        if isinstance(reference, LocationImage):
            self.found.append(_of_image(reference, root))
        elif isinstance(reference, LocationPath):
            try:
                self.found += _read(folder_at(root, reference.path), self.environment, ())
            except SettingsError as error:
                self.wrong.append(error)
        else:
            matching = [location for location in under.found if location.name == reference.name]
            self.found += matching
            if not matching:
                self.wrong.append(_unknown(reference.name, under.found))
                self.wrong += [error for error in under.wrong if error not in self.wrong]


def _read(place: Place, environment: str | None, commons: tuple[Place, ...]) -> list[CodeLocationFolder]:
    if place.path.is_symlink():
        raise SettingsError(
            f"{place.shown} is a symbolic link.", next_step="move the folder there, so that it is part of the checkout."
        )
    pyproject, dg_toml, older = (place.read(name) for name in ("pyproject.toml", "dg.toml", legacy.FILE))
    projects = workspace_projects(pyproject, dg_toml)
    if projects is not None and len(commons) < 2:
        return _workspace(place, projects, environment, (*commons, place))
    project = Project.parse(pyproject, dg_toml)
    if older is not None:
        return _legacy(place, older, project, environment, commons)
    if project is None:
        raise _no_location(place)
    if project.name is None and not NAME.fullmatch(place.path.name):
        raise SettingsError(
            f"{place.shown} gives its location no possible name.",
            why=f"A location is called as its folder unless `code_location_name` says otherwise: {NAME_IN_WORDS}.",
            next_step="rename the folder, or set `code_location_name` in its pyproject.toml.",
        )
    files = build_files(place, environment, commons=commons)
    return [
        CodeLocationFolder(
            name=project.name or place.path.name,
            folder=place.path,
            code_source=project.code_source,
            working_directory=_subfolder(place, "src") or place.path,
            requirements=project.requirements or _older_requirements(place),
            lock=_lock(place),
            requires_python=project.requires_python,
            build=files.build,
            container_context=files.container_context,
            agent_queue=project.agent_queue,
            image=project.image,
            origin=place.shown,
            files=(*(source.shown for source in (pyproject, dg_toml) if source), *files.read),
        )
    ]


def _workspace(
    place: Place, projects: Sequence[str], environment: str | None, commons: tuple[Place, ...]
) -> list[CodeLocationFolder]:
    """The projects of a dg workspace; its own container context is common to them."""
    if place.read(f"{BUILD}.yaml") is not None:
        raise SettingsError(
            f"{place.shown}/{BUILD}.yaml is of a whole workspace.",
            why="Its `registry` would give the images of all projects one repository, and the last one pushed would "
            "be taken for each.",
            next_step=f"write a {BUILD}.yaml in the folder of each project.",
        )
    found: list[CodeLocationFolder] = []
    for path in projects:
        project = place.below(*Path(path).parts)
        if not is_folder_below(place.path, path):
            raise SettingsError(
                f"{place.shown} is a workspace with the project {path}, which is no folder in it.",
                next_step="mend `projects` in its dg.toml or pyproject.toml.",
            )
        found += _read(project, environment, commons)
    return found


def _legacy(
    place: Place, source: Source, project: Project | None, environment: str | None, commons: tuple[Place, ...]
) -> list[CodeLocationFolder]:
    """The locations of a dagster_cloud.yaml; each lies in its own build directory."""
    older = LegacyFile.parse(source)
    if not older.locations:
        raise source.wrong(None, "it lists no location.", next_step="list one under `locations`, or remove the file.")
    if project is not None:
        _require_agreement(source, older, project)
    return [_legacy_location(place, source, item, environment, commons) for item in older.locations]


def _legacy_location(
    parent: Place, source: Source, item: LegacyLocation, environment: str | None, commons: tuple[Place, ...]
) -> CodeLocationFolder:
    if item.directory is not None and not is_folder_below(parent.path, item.directory):
        raise source.wrong(item.line, f"`directory` of '{item.name}' is not a folder inside {parent.shown}.")
    directory = (parent.path / (item.directory or ".")).resolve()
    place = parent.below(*directory.relative_to(parent.path.resolve()).parts)
    for stem in (BUILD, CONTAINER_CONTEXT):
        if place.read(f"{stem}.yaml") is not None:
            raise SettingsError(
                f"{place.shown}/{stem}.yaml and {source.shown} both describe the location '{item.name}'.",
                next_step=f"keep one of them; `hybrid locations convert {parent.shown}` shows what the latter says in "
                "the shape of the former. An environment's overlay may stand beside both.",
            )
    files = build_files(
        place, environment, commons=commons, registry=item.registry, container_context=item.container_context
    )
    pyproject = place.read("pyproject.toml")
    needs = Requirements.parse(pyproject)
    inside = item.directory_in_image
    local = place.path / inside if inside and is_folder_below(place.path, inside) else None
    return CodeLocationFolder(
        name=item.name,
        folder=place.path,
        code_source=item.code_source,
        working_directory=local or _subfolder(place, "src") or place.path,
        requirements=tuple(dict.fromkeys((*needs.listed, *_older_requirements(place)))),
        lock=_lock(place),
        requires_python=needs.python,
        build=files.build,
        container_context=files.container_context,
        agent_queue=item.agent_queue,
        image=item.image,
        origin=place.shown,
        attribute=item.attribute,
        executable_path=item.executable_path,
        directory_in_image=inside,
        files=(source.shown, *([pyproject.shown] if pyproject else []), *files.read),
    )


def _require_agreement(source: Source, older: LegacyFile, project: Project) -> None:
    """A dagster_cloud.yaml and what guides have people write beside it must name the same; `dg` reads no such file."""
    if project.table in (DG, DG_TOML):
        raise SettingsError(
            f"{source.shown} stands beside [{project.table}], and both describe the code location.",
            why="`dg` and `dagster-cloud` would each read another one.",
            next_step=f"remove one; `hybrid locations convert {source.shown}` shows what it says in the other shape.",
        )
    if not project.table.startswith(GUIDED):
        return
    named = {(item.name, item.code_source.name) for item in older.locations}
    if (project.name, project.code_source.name) not in named:
        raise SettingsError(
            f"[{project.table}] in pyproject.toml and {source.shown} name different locations or modules.",
            why=f"The first says {project.name} with {project.code_source.name}; the second "
            + ", ".join(f"{name} with {module}" for name, module in sorted(named))
            + ".",
            next_step=f"remove [{project.table}]; {legacy.FILE} is what counts.",
        )


def _of_image(reference: LocationImage, root: Path) -> CodeLocationFolder:
    return CodeLocationFolder(
        name=reference.name,
        folder=root,
        code_source=reference.code_source,
        working_directory=root,
        requirements=(),
        lock=None,
        requires_python=None,
        build=Build(registry=None, directory=root),
        container_context=without_nulls(reference.container_context),
        agent_queue=reference.agent_queue,
        image=reference.image,
        kind="image",
        origin=reference.image,
        attribute=reference.attribute,
        executable_path=reference.executable_path,
        directory_in_image=reference.working_directory,
    )


def _holds_anything(folder: Path) -> bool:
    return folder.is_symlink() or any(path.is_file() and path.suffix != ".pyc" for path in folder.rglob("*"))


def _no_location(place: Place) -> SettingsError:
    return SettingsError(
        f"{place.shown} is not a code location that can be read.",
        why="Read are pyproject.toml with [tool.dg.project] (`root_module`) or [tool.dagster] (`module_name`), "
        f"dg.toml, {legacy.FILE}, build.yaml and container_context.yaml.",
        next_step=f"write {place.shown}/pyproject.toml with, for example:\n[tool.dg.project]\nroot_module = "
        f'"{place.path.name}"',
    )


def _subfolder(place: Place, name: str) -> Path | None:
    path = place.path / name
    if not path.is_dir():
        return None
    if not path.resolve().is_relative_to(place.path.resolve()):
        raise SettingsError(
            f"{place.shown}/{name} leads out of its folder.",
            next_step="put the folder itself there instead of a link.",
        )
    return path


def _lock(place: Place) -> Path | None:
    if place.read("requirements.lock", limit=_LOCK_BYTES):
        return place.path / "requirements.lock"
    listed = place.read("requirements.txt", limit=_LOCK_BYTES)
    return place.path / "requirements.txt" if listed and "--hash=" in listed.text else None


def _older_requirements(place: Place) -> tuple[str, ...]:
    """Beside a dagster_cloud.yaml as Serverless takes them; elsewhere when no pyproject.toml lists any. A lock has all
    of them already."""
    return () if _lock(place) else listed_in_folder(place)


def _unknown(name: str, found: Sequence[CodeLocationFolder]) -> SettingsError:
    known = ", ".join(sorted(location.name for location in found)) or "none"
    return SettingsError(
        f"No code location is called '{name}'.",
        why=f"Under locations/ there are: {known}.",
        next_step="mend `hybrid:locations` in the stack's file, or remove it to serve all.",
    )


def _repeated_names(locations: Sequence[CodeLocationFolder]) -> list[SettingsError]:
    first: dict[str, CodeLocationFolder] = {}
    wrong: list[SettingsError] = []
    for location in locations:
        other = first.get(location.name)
        if other is None:
            first[location.name] = location
        elif other.origin == location.origin:
            wrong.append(
                SettingsError(
                    f"The code location '{location.name}' is listed twice.",
                    next_step="list it once in `hybrid:locations`.",
                )
            )
        else:
            wrong.append(
                SettingsError(
                    f"Two folders are the code location '{location.name}': {other.origin} and {location.origin}.",
                    next_step="change `code_location_name` in the pyproject.toml of one of them.",
                )
            )
    return wrong
