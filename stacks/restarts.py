"""What of a change starts a stack's agent anew, and so redeploys every code location: told from one step of the engine.
Pure.

A step has the resource's inputs before and after it. Only names come out of it: of keys, variables and settings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from agent import kubernetes_restarts
from agent.azure_task import GENERATION_VARIABLE, SETTINGS_VARIABLE
from agent.ecs_restarts import TASK_DEFINITION, restart_reasons, settings_reasons

Inputs = Mapping[str, Any]

FOLLOWS: Final = "another task definition"
"""What a service says whose task definition was replaced, which had reasons of its own."""

_SETTINGS_FILE: Final = "dagster.yaml"
_TOKEN: Final = "a new token"  # noqa: S105 - words
_REPLACES: Final = "create-replacement"

# What of a service a change of starts its tasks anew ("This parameter triggers a new service deployment"):
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
_DEPLOYS_ANEW: Final = frozenset(
    {
        "capacityProviderStrategies",
        "launchType",
        "loadBalancers",
        "networkConfiguration",
        "platformVersion",
        "serviceConnectConfiguration",
        "serviceRegistries",
        "volumeConfiguration",
    }
)
# With what of a process changed it is adopted as it runs (``ProcessSpec.digest`` of hybrid/provider/process_spec.py).
_TAKEN_OVER: Final = frozenset({"readinessUrl", "readinessTimeoutSeconds", "removeOnDelete", "port", "pid"})


def agent_restarts(
    urn: str, operation: str, changed: Collection[str], old: Inputs | None, new: Inputs | None
) -> tuple[str, ...]:
    """Why the step makes an agent start anew, each reason a few words; empty: it does not.

    ``operation`` is the engine's own word, ``changed`` the names of the properties that differ.
    """
    kinds = urn.split("::")[2].split("$") if urn.count("::") > 2 else [""]
    found = _KINDS.get((kinds[-2] if len(kinds) > 1 else "", kinds[-1]))
    if found is None or old is None or new is None or operation not in (_REPLACES, "update"):
        return ()
    return found(operation == _REPLACES, changed, old, new)


def _task_definition(replaced: bool, changed: Collection[str], old: Inputs, new: Inputs) -> tuple[str, ...]:
    if not replaced:
        return ()  # other tags, for one, make no other revision
    return restart_reasons(old, new) or tuple(f"`{key}` of its task" for key in sorted(changed)) or (FOLLOWS,)


def _service(replaced: bool, changed: Collection[str], old: Inputs, new: Inputs) -> tuple[str, ...]:
    own = sorted({*changed} - {"taskDefinition"} if replaced else {*changed} & _DEPLOYS_ANEW)
    reasons = [f"`{key}` of its service" for key in own]
    if "taskDefinition" in changed:
        reasons.append(FOLLOWS)
    return tuple(reasons)


def _container(replaced: bool, changed: Collection[str], old: Inputs, new: Inputs) -> tuple[str, ...]:
    """Docker's: its settings and its token are put into it as files."""
    if not replaced:
        return ()
    told = {"uploads", "envs", "labels"}  # the label is the settings' digest
    reasons = [f"`{key}` of its container" for key in sorted({*changed} - told)]
    if "envs" in changed:
        reasons += _variables(_listed(old), _listed(new))
    settings = list(settings_reasons(_uploaded(old), _uploaded(new)))
    if "uploads" in changed and not settings:
        settings = [_TOKEN]
    return (*reasons, *settings) or ("labels of its container",)


def _process(replaced: bool, changed: Collection[str], old: Inputs, new: Inputs) -> tuple[str, ...]:
    told = {"environment", "files", "secretEnvironment"}
    reasons = [f"`{key}` of its process" for key in sorted({*changed} - told - _TAKEN_OVER)]
    if "secretEnvironment" in changed:
        reasons.append(_TOKEN)
    if "environment" in changed:
        reasons += _variables(_mapping(old.get("environment")), _mapping(new.get("environment")))
    if "files" in changed:
        before, after = (str(_mapping(each.get("files")).get(_SETTINGS_FILE, "")) for each in (old, new))
        reasons += settings_reasons(before, after) or ["its files"]
    return tuple(reasons)


def _kubernetes_deployment(replaced: bool, changed: Collection[str], old: Inputs, new: Inputs) -> tuple[str, ...]:
    reasons = kubernetes_restarts.deployment_reasons(old, new)
    return reasons or (("`metadata` of its Deployment",) if replaced else ())


def _kubernetes_settings(replaced: bool, changed: Collection[str], old: Inputs, new: Inputs) -> tuple[str, ...]:
    return kubernetes_restarts.settings_changed(old, new)


def _container_app(replaced: bool, changed: Collection[str], old: Inputs, new: Inputs) -> tuple[str, ...]:
    """Azure's: what is in the template makes another revision, anything else does not."""
    if replaced:
        return tuple(f"`{key}` of its app" for key in sorted(changed))
    if "template" not in changed:
        return ()
    before, after = (_of_app(each) for each in (old, new))
    keys = sorted({*before, *after} - {"env"})
    reasons = [f"`{key}` of its container" for key in keys if before.get(key) != after.get(key)]
    return (*reasons, *_in_app(before, after)) or ("its template",)


def _of_app(inputs: Inputs) -> Inputs:
    containers = _mapping(inputs.get("template")).get("containers")
    return _mapping(containers[0]) if isinstance(containers, list) and containers else {}


def _in_app(old: Inputs, new: Inputs) -> list[str]:
    before, after = (
        {str(each.get("name")): each.get("value") for each in inputs.get("env") or () if isinstance(each, Mapping)}
        for inputs in (old, new)
    )
    changed = [name for name in sorted({*before, *after} - {SETTINGS_VARIABLE}) if before.get(name) != after.get(name)]
    reasons = [
        "a restart or a new token" if name == GENERATION_VARIABLE else f"the variable {name}" for name in changed
    ]
    settings = [str(each.get(SETTINGS_VARIABLE) or "") for each in (before, after)]
    return [*reasons, *settings_reasons(*settings)]


_KINDS: Final[Mapping[tuple[str, str], Callable[[bool, Collection[str], Inputs, Inputs], tuple[str, ...]]]] = {
    ("dagsterhybrid:agent:EcsAgent", TASK_DEFINITION): _task_definition,
    ("dagsterhybrid:agent:EcsAgent", "aws:ecs/service:Service"): _service,
    ("dagsterhybrid:agent:AzureAgent", "azure-native:app:ContainerApp"): _container_app,
    ("dagsterhybrid:agent:DockerAgent", "docker:index/container:Container"): _container,
    ("dagsterhybrid:agent:LocalAgent", "dagsterhybrid:index:Process"): _process,
    (kubernetes_restarts.COMPONENT, kubernetes_restarts.DEPLOYMENT): _kubernetes_deployment,
    (kubernetes_restarts.COMPONENT, kubernetes_restarts.SETTINGS): _kubernetes_settings,
}


def _variables(old: Inputs, new: Inputs) -> list[str]:
    return [f"the variable {name}" for name in sorted({*old, *new}) if old.get(name) != new.get(name)]


def _mapping(said: Any) -> Inputs:
    return said if isinstance(said, Mapping) else {}


def _listed(inputs: Inputs) -> Inputs:
    """Variables that are written ``NAME=value``."""
    entries = inputs.get("envs")
    texts = [entry for entry in entries if isinstance(entry, str)] if isinstance(entries, list) else []
    return {name: value for name, _, value in (text.partition("=") for text in texts)}


def _uploaded(inputs: Inputs) -> str:
    entries = inputs.get("uploads")
    for entry in entries if isinstance(entries, list) else ():
        if str(_mapping(entry).get("file", "")).endswith(f"/{_SETTINGS_FILE}"):
            return str(entry.get("content", ""))
    return ""
