"""What runs in containers, read from the kinds of resources that say it: images, and variables in plain."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.subjects import Subject, Unknown, listed, mapping, texts

TASK_DEFINITION: Final = "aws:ecs/taskDefinition:TaskDefinition"
CONTAINER: Final = "docker:index/container:Container"
REMOTE_IMAGE: Final = "docker:index/remoteImage:RemoteImage"
SERVICE: Final = "docker:index/service:Service"
LOCATION: Final = "dagsterhybrid:index:CodeLocation"
PROCESS: Final = "dagsterhybrid:index:Process"
AZURE: Final = ("azure-native:app:ContainerApp", "azure-native:app:Job")
FUNCTION: Final = "aws:lambda/function:Function"

_LISTS: Final = frozenset({"env_vars", "env", "environment"})
"""Keys under which a container context has variables."""


def images(subject: Subject) -> Iterator[str]:
    """What each container of ``subject`` runs from; sidecars of a code location too."""
    said = subject.properties
    match subject.type:
        case kind if kind == TASK_DEFINITION:
            for container in _definitions(said):
                yield from texts(container.get("image"))
        case kind if kind == CONTAINER:
            yield from texts(said.get("image"))
        case kind if kind == REMOTE_IMAGE:
            yield from texts(said.get("name"))
        case kind if kind == SERVICE:
            yield from texts(_container_spec(said).get("image"))
        case kind if kind == LOCATION:
            yield from _values_of(said.get("document"), "image")
        case _ if subject.kind in AZURE:
            for container in _of_template(said):
                yield from texts(container.get("image"))


def variables(subject: Subject) -> Iterator[tuple[str, str]]:
    """Names and values of the variables that ``subject`` holds in plain, and of its commands under the name
    ``command``, which are as readable."""
    said = subject.properties
    match subject.type:
        case kind if kind == TASK_DEFINITION:
            for container in _definitions(said):
                yield from _pairs(container.get("environment"))
                yield from (
                    ("command", text) for key in ("command", "entryPoint") for text in texts(container.get(key))
                )
        case kind if kind == CONTAINER:
            yield from _pairs(said.get("envs"))
            yield from _commands(said, "command", "entrypoints")
        case kind if kind == SERVICE:
            yield from _pairs(_container_spec(said).get("env"))
        case kind if kind == LOCATION:
            yield from _pairs_below(said.get("document"))
        case kind if kind == PROCESS:
            yield from _pairs(said.get("environment"))
            yield from _commands(said, "command")
        case kind if kind == FUNCTION:
            yield from _pairs(mapping(said.get("environment")).get("variables"))
        case _ if subject.kind in AZURE:
            for container in _of_template(said):
                yield from _pairs(container.get("env"))
                yield from _commands(container, "command", "args")


def unreadable(subject: Subject) -> bool:
    """Whether it is a task definition whose containers are no list of JSON."""
    if subject.type != TASK_DEFINITION:
        return False
    said = subject.properties.get("containerDefinitions")
    return not (said is None or isinstance(said, Unknown)) and not isinstance(_parsed(said), list)


def _definitions(said: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    parsed = _parsed(said.get("containerDefinitions"))
    yield from (mapping(container) for container in (parsed if isinstance(parsed, list) else ()))


def _parsed(said: Any) -> Any:
    if not isinstance(said, str):
        return said
    try:
        return json.loads(said)
    except (ValueError, RecursionError):
        return None


def _container_spec(said: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(said.get("taskSpec")).get("containerSpec"))


def _of_template(said: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    template = mapping(said.get("template"))
    yield from (mapping(each) for key in ("containers", "initContainers") for each in listed(template.get(key)))


def _pairs(said: Any) -> Iterator[tuple[str, str]]:
    """Of a mapping, of texts ``NAME=value``, or of objects with ``name`` and ``value``."""
    if isinstance(said, Mapping):
        yield from ((str(name), value) for name, value in said.items() if isinstance(value, str))
        return
    for item in listed(said):
        if isinstance(item, str):
            name, equals, value = item.partition("=")
            yield (name, value) if equals else (name, "")
        else:
            pair = mapping(item)
            if isinstance(pair.get("name"), str) and isinstance(pair.get("value"), str):
                yield pair["name"], pair["value"]


def _commands(said: Mapping[str, Any], *keys: str) -> Iterator[tuple[str, str]]:
    yield from (("command", text) for key in keys for text in texts(said.get(key)))


def _pairs_below(said: Any) -> Iterator[tuple[str, str]]:
    for key, value in _items_below(said):
        if key in _LISTS:
            yield from _pairs(value)


def _values_of(said: Any, wanted: str) -> Iterator[str]:
    for key, value in _items_below(said):
        if key == wanted:
            yield from texts(value)


def _items_below(said: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at every depth; without recursion, for the depth is somebody else's choice."""
    waiting = [said]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            yield from ((str(key), item) for key, item in value.items())
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
