"""What bodies may hold, and names and sizes: refusals in the stand-in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

# as far as the launcher writes them: https://learn.microsoft.com/azure/templates/microsoft.app/containerapps, …/jobs
_APP: Final = {
    "location": None,
    "tags": None,
    "identity": {"type": None, "userAssignedIdentities": None},
    "properties": {
        "managedEnvironmentId": None,
        "environmentId": None,
        "configuration": {
            "activeRevisionsMode": None,
            "ingress": {"external": None, "targetPort": None, "transport": None, "allowInsecure": None},
            "registries": None,
            "secrets": None,
        },
        "template": {
            "containers": {"name": None, "image": None, "resources": None, "env": None, "command": None, "args": None},
            "scale": {"minReplicas": None, "maxReplicas": None, "rules": None},
            "terminationGracePeriodSeconds": None,
        },
    },
}
_JOB: Final = {
    "location": None,
    "tags": None,
    "identity": {"type": None, "userAssignedIdentities": None},
    "properties": {
        "environmentId": None,
        "configuration": {
            "triggerType": None,
            "replicaTimeout": None,
            "replicaRetryLimit": None,
            "manualTriggerConfig": {"replicaCompletionCount": None, "parallelism": None},
            "registries": None,
        },
        "template": {"containers": {"name": None, "image": None, "resources": None, "env": None, "command": None}},
    },
}
_NAME: Final = re.compile(r"[a-z]([a-z0-9]|-(?!-)){0,30}[a-z0-9]")


def complaints(kind: str, name: str, body: Mapping[str, Any]) -> Iterator[str]:
    """Why Azure would refuse to make it; ``kind``: containerApps or jobs."""
    if not _NAME.fullmatch(name):
        yield f"{name!r} is no name: 2 to 32 of lower-case letters, digits and single hyphens"
    yield from _unknown(body, _APP if kind == "containerApps" else _JOB, "")
    template = (body.get("properties") or {}).get("template") or {}
    for container in template.get("containers") or ():
        yield from _size(container.get("resources") or {})
        if not container.get("image"):
            yield "a container has no image"
    for tag in body.get("tags") or {}:
        if set(tag) & set("<>%&\\?/"):
            yield f"{tag!r} is no name of a tag"


def _unknown(found: Any, known: Any, path: str) -> Iterator[str]:
    if known is None:
        return
    if isinstance(found, list):
        for each in found:
            yield from _unknown(each, known, path)
        return
    if not isinstance(found, Mapping):
        return
    for key, value in found.items():
        if key not in known:
            yield f"the stand-in knows no {path}{key}"
        else:
            yield from _unknown(value, known[key], f"{path}{key}.")


def _size(resources: Mapping[str, Any]) -> Iterator[str]:
    cpu, memory = resources.get("cpu"), str(resources.get("memory", ""))
    pair = isinstance(cpu, int | float) and cpu % 0.25 == 0 and 0.25 <= cpu <= 4 and memory == f"{cpu * 2:g}Gi"
    if not pair:
        yield f"{cpu} processors and {memory} of memory are none of the pairs of the Consumption profile"
