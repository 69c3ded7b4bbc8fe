"""What of a change starts the agent on ECS anew, and so redeploys every location. Pure.

An agent restarts exactly when its service gets another revision of its task definition, so the inputs of that resource,
old and new, say it: a preview has both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from agent.ecs_task import GENERATION_VARIABLE, SETTINGS_VARIABLE

TASK_DEFINITION: Final = "aws:ecs/taskDefinition:TaskDefinition"
"""The type whose change is meant, below ``dagsterhybrid:agent:EcsAgent``."""

_NOT_YET_KNOWN: Final = "its settings, as far as only the update itself knows them"


def restart_reasons(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Why an agent with the task definition ``old`` starts anew when it gets ``new``, each a few words; no values of
    variables. Empty: it does not.

    Both are the resource's inputs as Pulumi has them (``containerDefinitions`` is JSON). None: there is none, and so no
    restart.
    """
    if old is None or new is None:
        return ()
    changed = [
        key
        for key in sorted({*old, *new})
        if not key.startswith("__") and key != "containerDefinitions" and old.get(key) != new.get(key)
    ]
    reasons = [f"`{key}` of its task" for key in changed]
    if old.get("containerDefinitions") != new.get("containerDefinitions"):
        before, after = _container(old), _container(new)
        if before is None or after is None:
            return (*reasons, _NOT_YET_KNOWN)
        reasons += _in_container(before, after)
    return tuple(reasons)


def _container(inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """The agent's container; None while its text is not known."""
    try:
        (container,) = json.loads(inputs["containerDefinitions"])
    except (KeyError, TypeError, ValueError):
        return None
    return container if isinstance(container, dict) else None


def _in_container(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*old, *new} - {"environment"}):
        if _said(old.get(key)) != _said(new.get(key)):
            yield f"`{key}` of its container"
    before, after = _environment(old), _environment(new)
    for name in sorted({*before, *after} - {SETTINGS_VARIABLE}):
        if before.get(name) != after.get(name):
            yield "a restart or a new token" if name == GENERATION_VARIABLE else f"the variable {name}"
    yield from settings_reasons(before.get(SETTINGS_VARIABLE, ""), after.get(SETTINGS_VARIABLE, ""))


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container.get("environment", [])}


def _said(value: Any) -> Any:
    """``value`` without what says nothing: ECS gives a definition back with each key that it has a default for."""
    if isinstance(value, dict):
        kept = {key: _said(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each is not None} or None
    if isinstance(value, list):
        return [_said(each) for each in value] or None
    return value or None


def settings_reasons(old: str, new: str) -> list[str]:
    """Which settings differ between the texts of two ``dagster.yaml``; no values of theirs."""
    if old == new:
        return []
    try:
        before, after = (dict(_leaves(yaml.safe_load(text) or {}, ())) for text in (old, new))
    except yaml.YAMLError:
        return ["its dagster.yaml"]  # a preview has no text yet of what is not known yet
    changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    return [f"`{'.'.join(path)}` of its dagster.yaml" if path else "its dagster.yaml" for path in changed]


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, kept in value.items():
            yield from _leaves(kept, (*path, str(key)))
    else:
        yield path, value
