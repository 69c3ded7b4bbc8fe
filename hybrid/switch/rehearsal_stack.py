"""The stack file of a rehearsal: that of the real stack, with a local agent and the rehearsal's own Dagster+. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

NAMESPACE: Final = "hybrid:"
MADE_UP: Final = "HYBRID_REHEARSAL_VALUE"
"""The variable, in the environment of a rehearsal's commands, from which every environment variable has its value."""

_KEPT: Final = ("deployment", "environment", "readiness")
_OF_ANY_AGENT: Final = (
    ("label", "queues", "environment", "allowedLocations", "startupTimeoutSeconds", "serverTtl")
    + ("directSnapshotUploads", "uploadSnapshotsOnStartup", "apiTimeoutSeconds", "apiRetries")
)  # fmt: skip


@dataclass(frozen=True)
class RehearsedSettings:
    """``config`` is what stands under ``config:`` in the stack file. ``differs`` are sentences for people: in what the
    rehearsal is not the real stack."""

    config: dict[str, Any]
    differs: tuple[str, ...]


def rehearsed_settings(
    config: Mapping[str, Any], *, organization: str, deployment: str, url: str, values: Path, checkout: Path
) -> RehearsedSettings:
    """``config`` is that of the real stack file; empty: all that lies under locations/, served as by default.

    ``url`` is the rehearsal's Dagster+, ``values`` the folder that stored values are copied to, ``checkout`` the real
    one, from which paths of locations outside of it are meant. Secrets, images, registries and AWS are left out.
    """
    given = {key.removeprefix(NAMESPACE): each for key, each in config.items() if key.startswith(NAMESPACE)}
    agent = _mapping(given.get("agent"))
    kind = str(agent.get("kind", "local"))
    differs: list[str] = []
    if kind != "local":
        differs.append(f"The agent is local, not {kind}: no image is built, pulled or run.")
    if agent.get("branchDeployments"):
        differs.append("Branch deployments are not served.")
    made: dict[str, Any] = {name: given[name] for name in _KEPT if name in given}
    made |= {"organization": organization, "deployment": deployment, "url": url}
    made["agent"] = {"kind": "local", **{name: agent[name] for name in _OF_ANY_AGENT if name in agent}}
    made["assetValues"] = {
        "folder": str(values),
        # with images the requirement of it is looked for in the image, which is not there
        "ioManager": kind == "local" and bool(_mapping(given.get("assetValues")).get("ioManager")),
    }
    if given.get("locations") is not None:
        made["locations"] = _locations(given["locations"], checkout, differs)
    if variables := given.get("environmentVariables"):
        made["environmentVariables"] = [_made_up(each) for each in variables]
        differs.append("Environment variables have made-up values.")
    return RehearsedSettings({f"{NAMESPACE}{key}": each for key, each in made.items()}, tuple(differs))


def _locations(listed: list[Any], checkout: Path, differs: list[str]) -> list[Any]:
    kept: list[Any] = []
    for each in listed:
        if isinstance(each, Mapping) and "image" in each:
            differs.append(f"{each.get('name', each['image'])} runs from an image of others: it is left out.")
        elif isinstance(each, Mapping) and "path" in each:
            inside = (checkout / str(each["path"])).resolve()
            # what lies in the checkout is copied with it; elsewhere it is read where it is
            relative = inside.is_relative_to(checkout.resolve())
            kept.append({"path": str(inside.relative_to(checkout.resolve()) if relative else inside)})
        else:
            kept.append(each)
    return kept


def _made_up(variable: Any) -> dict[str, Any]:
    sources = ("value", "fromEnvironment", "secret")
    kept = {key: each for key, each in _mapping(variable).items() if key not in sources}
    return {**kept, "fromEnvironment": MADE_UP}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
