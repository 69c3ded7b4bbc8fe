"""One environment's settings out of a base and its overlays: which file is whose, and how two values become one.

Pure. Upstream's files know no environments, and upstream's merge appends: an environment variable that is set in two
places would be there twice (dagster_dg_core/config.py, ``merge_container_context_configs`` of 1.13.27). Here what comes
later replaces what has the same name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from hybrid.errors import SettingsError

ENVIRONMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")

BUILD: Final = "build"
CONTAINER_CONTEXT: Final = "container_context"

Path = tuple[str | int, ...]


def _key(name: str) -> Callable[[Any], str | None]:
    def of(item: Any) -> str | None:
        value = item.get(name) if isinstance(item, dict) else None
        return value if isinstance(value, str) else None

    return of


def _variable(item: Any) -> str | None:
    """The name in ``NAME=value`` or ``NAME``; the value may hold further equals signs."""
    return item.partition("=")[0] if isinstance(item, str) else None


IDENTITIES: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "env_vars": _variable,
    "env": _key("name"),
    "image_pull_secrets": _key("name"),
    "mount_points": _key("containerPath"),
    "run_ecs_tags": _key("key"),
    "run_sidecar_containers": _key("name"),
    "secrets": _key("name"),
    "server_ecs_tags": _key("key"),
    "server_sidecar_containers": _key("name"),
    "volume_mounts": _key("mount_path"),
    "volumes": _key("name"),
}
"""Lists whose items have a name, by their key wherever it stands, and what that name is. Every other list is one value.
The keys are those of dagster_cloud/workspace/config_schema, and `env` of a Kubernetes container."""


def checked_environment(name: str) -> str:
    """``name`` if it can be an environment's in the name of a file. Raises ``SettingsError``."""
    if not ENVIRONMENT.fullmatch(name):
        raise SettingsError(
            f"'{name}' cannot be an environment's name.",
            why="It is part of the names of files, such as build.prod.yaml: 1 to 40 letters, digits, '_' and '-', the "
            "first a letter or digit.",
            next_step="set `hybrid:environment` in the stack's file to such a name.",
        )
    return name


def overlay(stem: str, environment: str) -> str:
    """The name of an environment's file over ``stem``.yaml."""
    return f"{stem}.{checked_environment(environment)}.yaml"


def environment_of(file: str) -> str | None:
    """Which environment a file of this name is for; None for every other file."""
    found = re.fullmatch(rf"(?:{BUILD}|{CONTAINER_CONTEXT})\.(.+)\.ya?ml", file)
    return found[1] if found else None


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``over`` laid over it: mappings key by key at every depth, lists of ``IDENTITIES`` item by item,
    everything else as a whole. A null in ``over`` stays, so that it also removes from what is merged later;
    ``without_nulls`` takes it out at the end.

    Keys and items keep the order of ``base``; new ones follow. Neither argument is changed, and values are shared.
    """
    result = dict(base)
    for key, value in over.items():
        result[key] = _one(key, base[key], value) if key in base else value
    return result


def without_nulls(value: Mapping[str, Any]) -> dict[str, Any]:
    """``value`` without keys that are null, at every depth of mappings; what stands in lists stays."""
    return {
        key: without_nulls(item) if isinstance(item, dict) else item for key, item in value.items() if item is not None
    }


def repeated(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Each item of a named list whose name an earlier item has: where it stands, and the name."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from repeated(item, (*path, key))
    elif isinstance(value, list):
        identity = IDENTITIES.get(str(path[-1])) if path else None
        seen: set[str] = set()
        for place, item in enumerate(value):
            name = identity(item) if identity else None
            if name is not None and name in seen:
                yield (*path, place), name
            seen |= {name} if name is not None else set()
            yield from repeated(item, (*path, place))


def _one(key: str, base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return merged(base, over)
    if isinstance(base, list) and isinstance(over, list) and key in IDENTITIES:
        return _items(IDENTITIES[key], base, over)
    return over


def _items(identity: Callable[[Any], str | None], base: list[Any], over: list[Any]) -> list[Any]:
    """Items by name, the later one in the place of the earlier; one without a name makes the list one value."""
    names = [identity(item) for item in base + over]
    if None in names:
        return over
    return list(dict(zip(names, base + over, strict=True)).values())
