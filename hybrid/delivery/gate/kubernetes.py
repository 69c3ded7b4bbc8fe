"""Rules about ``container_context.k8s`` that the agent's schema does not have: what the cluster, or the launcher, would
refuse only when the agent has already given up the old code server.

Sources: dagster_cloud/workspace/kubernetes, dagster_k8s/container_context.py and job.py of dagster-cloud 1.13.27, and
kubernetes.io/docs/concepts/overview/working-with-objects (names, labels).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from hybrid.delivery.gate.findings import Severity
from hybrid.delivery.gate.places import KeyPath
from hybrid.kubernetes.labels import AGENT_LABEL, LOCATION_HASH_LABEL, MANAGED_BY_LABEL, SERVER_LABEL, STACK_LABEL
from hybrid.kubernetes.quantities import quantity

Rule = tuple[KeyPath, Any, Severity, str, str]
"""Path below the context, value, severity, what, next step."""

Variables = Callable[[str, str, int], Iterator[tuple[Severity, str, str]]]
"""The rules about one variable, as NAME=VALUE, where it stands and its index."""

_TOKEN: Final = "DAGSTER_CLOUD_AGENT_TOKEN"  # noqa: S105 - a variable's name
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_LABEL_KEY: Final = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_NAMES: Final = ("service_account_name", "scheduler_name")
_LISTS_OF_NAMES: Final = ("env_secrets", "env_config_maps")
_LONGEST: Final = {"namespace": 63}
_RAW: Final = ("server_k8s_config", "run_k8s_config")
_MODELS: Final = {
    "container_config": "V1Container",
    "pod_spec_config": "V1PodSpec",
    "pod_template_spec_metadata": "V1ObjectMeta",
    "deployment_metadata": "V1ObjectMeta",
    "service_metadata": "V1ObjectMeta",
    "service_spec_config": "V1ServiceSpec",
    "job_config": "V1Job",
    "job_metadata": "V1ObjectMeta",
    "job_spec_config": "V1JobSpec",
    "volumes": "list[V1Volume]",
    "volume_mounts": "list[V1VolumeMount]",
    "security_context": "V1SecurityContext",
    "resources": "V1ResourceRequirements",
}
_METADATA: Final = tuple(key for key, model in _MODELS.items() if model == "V1ObjectMeta")
_TAKEN_VOLUME: Final = "dagster-cloud-defs-state-override"  # DEFS_STATE_VOLUME_NAME of kubernetes/utils.py
_OURS: Final = frozenset({AGENT_LABEL, LOCATION_HASH_LABEL, MANAGED_BY_LABEL, SERVER_LABEL, STACK_LABEL})
_GIVEN_BY_LAUNCHER: Final = {"image": "the image is the location's", "args": "the agent decides what a container runs"}


def kubernetes_rules(said: Mapping[str, Any], variables: Variables) -> Iterator[Rule]:
    """What is wrong with the context ``said``; values of a wrong type are the schema's to find. ``variables``: what
    holds of every variable."""
    yield from _names(said)
    yield from _labels(("labels",), said.get("labels"))
    yield from _size(("resources",), said.get("resources"))
    yield from _volumes((), said)
    count = said.get("server_replica_count")
    if isinstance(count, int) and count < 1:
        what = f"`k8s.server_replica_count` is {count}; without a pod the location never loads."
        yield ("server_replica_count",), count, "error", what, "write 1 or more."
    for entry in said.get("env_vars") or () if isinstance(said.get("env_vars"), list) else ():
        if isinstance(entry, str) and entry.partition("=")[0] == _TOKEN:
            yield ("env_vars",), None, "error", f"`{_TOKEN}` is given to all code as a Secret.", "remove it there."
    for key in ("volumes", "volume_mounts", "security_context", "resources"):
        yield from _of_model((key,), key, said.get(key))
    for key in _RAW:
        yield from _raw(key, _mapping(said.get(key)), variables)


def _names(said: Mapping[str, Any]) -> Iterator[Rule]:
    found: list[tuple[KeyPath, Any]] = [((key,), said.get(key)) for key in ("namespace", *_NAMES)]
    for key in _LISTS_OF_NAMES:
        found += [((key, index), name) for index, name in enumerate(_list(said.get(key)))]
    for index, secret in enumerate(_list(said.get("image_pull_secrets"))):
        found.append((("image_pull_secrets", index, "name"), _mapping(secret).get("name")))
    for path, name in found:
        longest = _LONGEST.get(str(path[0]), 253)
        if isinstance(name, str) and not (_NAME.fullmatch(name) and len(name) <= longest):
            # what stands there may be the secret itself
            what = f"`k8s.{path[0]}` has a name that nothing in Kubernetes can have."
            step = f"write small letters, digits, `-` and `.`, at most {longest} of them; names alone, no values."
            yield path, None, "error", what, step


def _labels(path: KeyPath, given: Any) -> Iterator[Rule]:
    shown = f"k8s.{'.'.join(map(str, path))}"
    for key, value in _mapping(given).items():
        where = (*path, key)
        if key in _OURS:
            what = f"`{shown}` sets `{key}`, by which the stack and the agent know what is theirs."
            yield where, None, "error", what, "choose another key."
        elif not isinstance(value, str):
            yield (
                where,
                value,
                "error",
                f"the label `{str(key)[:80]}` in `{shown}` must be text.",
                "put quotes around it.",
            )
        elif not _LABEL_KEY.fullmatch(str(key)) or not _LABEL_VALUE.fullmatch(value):
            what = f"`{shown}` has a label that Kubernetes does not take: {str(key)[:80]}."
            step = "a key may have a prefix and `/`; key and value are at most 63 letters, digits, `-`, `_` and `.`."
            yield where, None, "error", what, step


def _raw(key: str, raw: Mapping[str, Any], variables: Variables) -> Iterator[Rule]:
    for part, value in raw.items():
        yield from _of_model((key, part), str(part), value)
    container, pod = _mapping(raw.get("container_config")), _mapping(raw.get("pod_spec_config"))
    for name, reason in _GIVEN_BY_LAUNCHER.items():
        if name in container:
            what = f"`k8s.{key}.container_config.{name}` has no effect: {reason}."
            yield (key, "container_config", name), None, "error", what, "remove it."
    for part in _METADATA:
        yield from _labels((key, part, "labels"), _mapping(raw.get(part)).get("labels"))
    yield from _size((key, "container_config", "resources"), container.get("resources"))
    yield from _environment((key, "container_config", "env"), container, variables)
    yield from _volumes((key, "pod_spec_config"), pod)
    yield from _shallow(key, raw)
    if key == "run_k8s_config":
        yield from _of_runs(raw)


def _of_model(path: KeyPath, key: str, value: Any) -> Iterator[Rule]:
    from hybrid.kubernetes.models import problem_of

    if key in _MODELS and value and (problem := problem_of(_MODELS[key], value)):
        what = f"`k8s.{'.'.join(map(str, path))}`: {problem}."
        yield path, None, "error", what, "write it as Kubernetes has it; the launcher fails by what it does not know."


def _environment(path: KeyPath, container: Mapping[str, Any], variables: Variables) -> Iterator[Rule]:
    shown = f"k8s.{'.'.join(map(str, path))}"
    for index, entry in enumerate(_list(container.get("env"))):
        name, value = _mapping(entry).get("name"), _mapping(entry).get("value")
        if name == _TOKEN:
            yield (*path, index), None, "error", f"`{_TOKEN}` is given to all code as a Secret.", "remove it there."
        elif value is not None and not isinstance(value, str):
            what = f"the value of {str(name)[:80]} in `{shown}` must be text."
            yield (*path, index, "value"), None, "error", what, "put quotes around it."
        elif isinstance(name, str) and isinstance(value, str):
            for severity, what, step in variables(f"{name}={value}", shown, index):
                yield (*path, index), None, severity, what, step


def _shallow(key: str, raw: Mapping[str, Any]) -> Iterator[Rule]:
    """With SHALLOW, what the stack gives to all code is replaced and not added to."""
    if raw.get("merge_behavior") != "SHALLOW":
        return
    for part in _METADATA:
        if "labels" in _mapping(raw.get(part)):
            what = f"`k8s.{key}.{part}.labels` would take the stack's labels away, by which `down` finds what is its."
            yield (key, part, "labels"), None, "error", what, "remove `merge_behavior: SHALLOW`."
    container = _mapping(raw.get("container_config"))
    for name in ("env_from", "envFrom"):
        if name in container:
            what = f"`k8s.{key}.container_config.{name}` would take the Secret with the agent's token away from code."
            yield (key, "container_config", name), None, "error", what, "remove `merge_behavior: SHALLOW`."


def _of_runs(raw: Mapping[str, Any]) -> Iterator[Rule]:
    spec = _mapping(raw.get("job_spec_config"))
    tries = spec.get("backoff_limit", spec.get("backoffLimit"))
    if isinstance(tries, int) and tries > 0:
        what = "`k8s.run_k8s_config.job_spec_config.backoff_limit` starts a run's pod again that has failed."
        step = "remove it: Dagster itself retries runs and steps, and knows which have been tried."
        yield ("run_k8s_config", "job_spec_config"), None, "warning", what, step
    if _list(_mapping(raw.get("pod_spec_config")).get("containers")):
        what = "a run's Job ends only when the containers in `k8s.run_k8s_config.pod_spec_config` end by themselves."
        step = "make it one of `init_containers` with `restart_policy: Always`: such ones are stopped with the run."
        yield ("run_k8s_config", "pod_spec_config", "containers"), None, "warning", what, step


def _volumes(path: KeyPath, said: Mapping[str, Any]) -> Iterator[Rule]:
    names: list[Any] = []
    for index, volume in enumerate(_list(said.get("volumes"))):
        name, where = _mapping(volume).get("name"), (*path, "volumes", index)
        if name == _TAKEN_VOLUME:
            yield where, name, "error", f"`{name}` is a volume of the launcher's own.", "choose another name."
        elif name in names:
            yield where, name, "error", f"two volumes are called `{str(name)[:80]}`.", "choose another name."
        names.append(name)
        if {"host_path", "hostPath"} & _mapping(volume).keys():
            what = f"the volume `{str(name)[:80]}` is a folder of the node, which a namespace of the stack's refuses."
            step = "take a claim or `empty_dir`, or set `hybrid:kubernetes.namespace.podSecurity`."
            yield where, None, "warning", what, step


def _size(path: KeyPath, resources: Any) -> Iterator[Rule]:
    limits, requests = (_mapping(_mapping(resources).get(key)) for key in ("limits", "requests"))
    shown = f"k8s.{'.'.join(map(str, path))}"
    for key, given in (("limits", limits), ("requests", requests)):
        for name, value in given.items():
            if quantity(value) is None:
                what = f"`{shown}.{key}.{str(name)[:40]}` is no quantity."
                yield (*path, key, name), None, "error", what, "write such as 500m or 2 of cpu, 512Mi or 4Gi of memory."
    for name in limits.keys() & requests.keys():
        least, most = quantity(requests[name]), quantity(limits[name])
        if least is not None and most is not None and least > most:
            what = f"`{shown}` requests more {str(name)[:40]} than its limit."
            yield (*path, "requests", name), None, "error", what, "raise the limit, or request less."


def _mapping(said: Any) -> Mapping[str, Any]:
    return said if isinstance(said, Mapping) else {}


def _list(said: Any) -> list[Any]:
    return said if isinstance(said, list) else []
