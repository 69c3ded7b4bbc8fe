"""What differs between two manifests, and what of it cannot be changed in place. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hybrid.provider.properties import UNKNOWN

_NEVER: Final = ("apiVersion", "kind", "metadata.name", "metadata.namespace")
_BY_KIND: Final[Mapping[str, tuple[str, ...]]] = {
    # https://github.com/pulumi/pulumi-kubernetes/blob/master/provider/pkg/provider/diff.go, forceNewProperties
    "ConfigMap": ("binaryData", "data"),
    "Deployment": ("spec.selector",),
    "Job": ("spec.completions", "spec.selector", "spec.template"),
    "Role": (),
    "RoleBinding": ("roleRef",),
    "Secret": ("data", "stringData", "type"),
}
_MUTABLE: Final = {"ConfigMap": "enableConfigMapMutable", "Secret": "enableSecretMutable"}


def changed(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The paths at which ``new`` differs. What is given as nothing is not given."""
    if new is UNKNOWN or old is UNKNOWN:
        yield path
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from changed(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from changed(one, other, f"{path}[{number}]")
    elif (old or None) != (new or None) or (isinstance(old, bool) != isinstance(new, bool) and old != new):
        yield path


def replaces(kind: str, paths: list[str], settings: Mapping[str, Any]) -> list[str]:
    """Those of ``paths`` for which the object is made anew; ``settings`` are the plugin's."""
    fixed = _NEVER + _BY_KIND.get(kind, ())
    if kind in _MUTABLE and str(settings.get(_MUTABLE[kind])).lower() == "true":
        fixed = _NEVER + (("type",) if kind == "Secret" else ())
    return [path for path in paths if any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in fixed)]


def as_found(given: Any, live: Any) -> Any:
    """``given`` with the values that ``live`` has in their place: what somebody else has changed shows."""
    if isinstance(given, Mapping) and isinstance(live, Mapping):
        return {key: as_found(value, live[key]) for key, value in given.items() if key in live}
    if isinstance(given, list) and isinstance(live, list) and len(given) == len(live):
        return [as_found(one, other) for one, other in zip(given, live, strict=True)]
    return live
