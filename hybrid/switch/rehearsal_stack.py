"""The stack file of a rehearsal: the real one, with an agent on this machine and a Dagster+ of its own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

NAMESPACE: Final = "hybrid:"
MADE_UP: Final = "HYBRID_REHEARSAL_VALUE"
"""The variable, in the environment of a rehearsal's commands, from which every environment variable has its value."""

_KEPT: Final = ("deployment", "environment", "readiness")
_OF_IMAGES: Final = ("pythonImage", "certificates", "secrets", "arguments")
_OF_DOCKER: Final = ("image", "socket", "registryCredentials", "containerKwargs", "memoryMib", "cpus")
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
    config: Mapping[str, Any],
    *,
    organization: str,
    deployment: str,
    url: str,
    values: Path,
    checkout: Path,
    registry: str | None = None,
    stack: str = "",
) -> RehearsedSettings:
    """``config`` is that of the real stack file, of the stack ``stack``; empty: all that lies under locations/, served
    as by default.

    ``url`` is the rehearsal's Dagster+, ``values`` the folder that stored values are copied to, ``checkout`` the real
    one, from which paths of locations outside of it are meant. ``registry``: the agent is one on Docker, whose images
    go there; None: it is local, and images are left out. Secrets, the team's registry and AWS always are.
    """
    given = {key.removeprefix(NAMESPACE): each for key, each in config.items() if key.startswith(NAMESPACE)}
    agent = _mapping(given.get("agent"))
    kind = str(agent.get("kind", "local"))
    differs: list[str] = []
    if agent.get("branchDeployments"):
        differs.append("Branch deployments are not served.")
    made: dict[str, Any] = {name: given[name] for name in _KEPT if name in given}
    made |= {"organization": organization, "deployment": deployment, "url": url}
    if registry is None:
        made |= _on_local(given, agent, kind, values, differs)
    else:
        made |= _on_docker(given, agent, kind, registry, differs)
        made.setdefault("environment", stack)  # its build.<environment>.yaml files count, not those of another name
    if given.get("locations") is not None:
        made["locations"] = _locations(given["locations"], checkout, differs)
    if variables := given.get("environmentVariables"):
        made["environmentVariables"] = [_made_up(each) for each in variables]
        differs.append("Environment variables have made-up values.")
    return RehearsedSettings({f"{NAMESPACE}{key}": each for key, each in made.items()}, tuple(differs))


def _on_local(
    given: Mapping[str, Any], agent: Mapping[str, Any], kind: str, values: Path, differs: list[str]
) -> dict[str, Any]:
    if kind != "local":
        differs.append(f"The agent is local, not {kind}: no image is built, pulled or run (--agent docker does).")
    # with images the requirement of it is looked for in the image, which is not there
    finds = kind == "local" and bool(_mapping(given.get("assetValues")).get("ioManager"))
    return {
        "agent": {"kind": "local", **{name: agent[name] for name in _OF_ANY_AGENT if name in agent}},
        "assetValues": {"folder": str(values), "ioManager": finds},
    }


def _on_docker(
    given: Mapping[str, Any], agent: Mapping[str, Any], kind: str, registry: str, differs: list[str]
) -> dict[str, Any]:
    """Its containers are not started again by the engine: what a killed rehearsal leaves stays down."""
    if kind != "docker":
        differs.append(f"The agent is one on this machine's Docker engine, not {kind}.")
    differs += [
        f"Images are pushed to {registry} of this machine, not to the team's registry.",
        "Stored values are not copied: containers do not reach the folder that the rehearsal has for them.",
    ]
    images, of_docker = _mapping(given.get("images")), _OF_DOCKER if kind == "docker" else ()
    kept = {name: agent[name] for name in (*_OF_ANY_AGENT, *of_docker) if name in agent}
    made = {
        "agent": {"kind": "docker", "restart": "no", **kept},
        "registry": {"address": registry},
        "images": {name: images[name] for name in _OF_IMAGES if name in images},
    }
    if given.get("pins"):
        made["pins"] = dict(given["pins"])
    return made


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
