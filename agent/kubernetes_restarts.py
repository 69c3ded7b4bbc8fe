"""What of a change starts the agent on Kubernetes anew, and so redeploys every location. Pure.

An agent restarts exactly when the template of its pods changes. Its settings lie in a ConfigMap, of which the template
has a digest: what of them changed is told from that one's inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agent.ecs_restarts import settings_reasons
from agent.kubernetes_pod import CONFIGURATION_ANNOTATION, GENERATION_ANNOTATION, SETTINGS_FILE

COMPONENT: Final = "dagsterhybrid:agent:KubernetesAgent"
DEPLOYMENT: Final = "kubernetes:apps/v1:Deployment"
SETTINGS: Final = "kubernetes:core/v1:ConfigMap"

_NOT_YET_KNOWN: Final = "its pods, as far as only the update itself knows them"


def deployment_reasons(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Why an agent whose Deployment's inputs were ``old`` starts anew with ``new``, each a few words, without values.
    Empty: it does not, or other settings are all, which ``settings_changed`` names."""
    before, after = _template(old), _template(new)
    if before == after:
        return ()
    if before is None or after is None:
        return (_NOT_YET_KNOWN,)
    annotations = [_below(each, "metadata", "annotations") for each in (before, after)]
    named = {GENERATION_ANNOTATION: "a restart or a new token"}
    reasons = [
        named.get(key, f"the annotation {key} of its pods")
        for key in _changed(*annotations)
        if key != CONFIGURATION_ANNOTATION
    ]
    if _below(before, "metadata", "labels") != _below(after, "metadata", "labels"):
        reasons.append("labels of its pods")
    pods = [_below(each, "spec") for each in (before, after)]
    reasons += [f"`{key}` of its pods" for key in _changed(*pods) if key != "containers"]
    return (*reasons, *_of_containers(*pods))


def settings_changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Which settings differ between the inputs of two ConfigMaps; no values of theirs."""
    before, after = (str(_below(each, "data").get(SETTINGS_FILE, "")) for each in (old, new))
    return tuple(settings_reasons(before, after))


def _of_containers(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    if old.get("containers") == new.get("containers"):
        return []
    before, after = _only(old), _only(new)
    if before is None or after is None:
        return ["containers of its pods"]
    reasons = [f"`{key}` of its container" for key in _changed(before, after) if key != "env"]
    variables = [{entry.get("name"): entry for entry in each.get("env") or ()} for each in (before, after)]
    return reasons + [f"the variable {name}" for name in _changed(*variables)]


def _only(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    containers = pod.get("containers")
    only = containers[0] if isinstance(containers, list) and len(containers) == 1 else None
    return only if isinstance(only, Mapping) else None


def _template(inputs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = _below(inputs, "spec").get("template")
    return found if isinstance(found, Mapping) else None


def _below(value: Any, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
