"""``build.yaml`` and ``container_context.yaml`` of a location with the overlays of one environment.

Keys: dagster_dg_core/config.py (``DgRawBuildConfig``) and dagster_cloud/workspace/config_schema, 1.13.27.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hybrid.delivery.environment import BUILD, CONTAINER_CONTEXT, merged, overlay, repeated, without_nulls
from hybrid.delivery.sources import Place, YamlMapping

PLATFORMS: Final = ("aca", "docker", "ecs", "k8s")
"""Keys of a container context (dagster_cloud/workspace/config_schema): the local agent has none."""

REGISTRY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,254}")


@dataclass(frozen=True)
class Build:
    """How the location's image is built (``build.yaml``)."""

    registry: str | None
    """The repository to push to; None: not said."""
    directory: Path
    """The build context, absolute. Default: the location's folder."""


@dataclass(frozen=True)
class BuildFiles:
    """What the files of one location say for one environment."""

    build: Build
    container_context: Mapping[str, Any]
    """By platform; empty: nothing said."""
    read: tuple[str, ...]
    """The files that were there, as errors show them."""


def build_files(
    place: Place,
    environment: str | None,
    *,
    commons: Sequence[Place] = (),
    registry: str | None = None,
    container_context: Mapping[str, Any] | None = None,
) -> BuildFiles:
    """The location's own files in ``place``, over the container contexts of the folders ``commons``, the farthest
    first. In each folder the environment's file lies over the base; without an ``environment`` there are only bases.

    ``registry`` and ``container_context`` are what the location says elsewhere in place of its base files.
    Raises ``SettingsError`` with the file and line of what cannot be.
    """
    read: list[str] = []
    build: dict[str, Any] = {"registry": registry}
    for file in _files(place, BUILD, environment, read):
        _check_build(file, place)
        build = merged(build, file.values)
    context: dict[str, Any] = {}
    for common in commons:
        context = _with_context(context, common, environment, read)
    context = merged(context, container_context or {})
    context = _with_context(context, place, environment, read)
    directory = place.path / (build.get("directory") or ".")
    return BuildFiles(Build(build["registry"], directory.resolve()), without_nulls(context), tuple(read))


def context_files(folder: Path, environment: str) -> list[Path]:
    """Where a location's container context is said: its base, and what is laid over that."""
    return [folder / f"{CONTAINER_CONTEXT}.yaml", folder / overlay(CONTAINER_CONTEXT, environment)]


def _with_context(context: dict[str, Any], place: Place, environment: str | None, read: list[str]) -> dict[str, Any]:
    for file in _files(place, CONTAINER_CONTEXT, environment, read):
        check_context(file, file.values)
        context = merged(context, file.values)
    return context


def _files(place: Place, stem: str, environment: str | None, read: list[str]) -> list[YamlMapping]:
    names = [f"{stem}.yaml"] + ([overlay(stem, environment)] if environment else [])
    sources = [source for source in map(place.read, names) if source]
    read += [source.shown for source in sources]
    return [YamlMapping(source) for source in sources]


def _check_build(file: YamlMapping, place: Place) -> None:
    source = file.source
    for key, value in file.values.items():
        line = file.lines.get(key)
        if key not in {"registry", "directory"}:
            raise source.wrong(
                line,
                f"there is no key `{key}`.",
                next_step="a build.yaml has `registry` and `directory`; the queue and the image are set in "
                "pyproject.toml, [tool.dg.project], and the environment in container_context.yaml.",
            )
        if value is not None and not isinstance(value, str):
            raise source.wrong(line, f"`{key}` is not a text.")
    registry, directory = file.values.get("registry"), file.values.get("directory")
    if registry is not None and not REGISTRY.fullmatch(registry):
        raise source.wrong(
            file.line("registry"),
            "`registry` is not a repository, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com/hello.",
        )
    if directory is not None and not is_folder_below(place.path, directory):
        raise source.wrong(
            file.line("directory"),
            "`directory` is not a folder inside the location's own.",
            next_step="leave it out to build from the location's folder.",
        )


def is_folder_below(folder: Path, path: str) -> bool:
    """Whether ``path`` is a folder inside ``folder``, also once links are followed."""
    try:
        below = (folder / path).resolve()
        return below.is_relative_to(folder.resolve()) and below.is_dir()
    except (OSError, RuntimeError, ValueError):  # a link that leads to itself, a name with a null byte
        return False


def check_context(file: YamlMapping, context: Mapping[str, Any], *above: str | int) -> None:
    """Refuse a container context, at ``above`` in ``file``, with unknown platforms or names that repeat in a list."""
    for key, value in context.items():
        line = file.line(*above, key)
        if key not in PLATFORMS:
            raise file.source.wrong(
                line, f"`{key}` is no platform.", next_step=f"platforms are: {', '.join(PLATFORMS)}."
            )
        if value is not None and not isinstance(value, dict):
            raise file.source.wrong(line, f"`{key}` is not a mapping.")
    for path, name in repeated(context):
        raise file.source.wrong(
            file.line(*above, *path),
            f"'{name}' is in {'.'.join(str(part) for part in path[:-1])} twice.",
            next_step="keep one of them; an environment's own value belongs in container_context.<environment>.yaml.",
        )
