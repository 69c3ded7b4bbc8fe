"""What must be there before a code location can be launched: names that its ``container_context.k8s`` refers to. Pure.

Keys may be in snake_case, as Dagster writes them, or in camelCase, as Kubernetes does: dagster_k8s takes both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_PODS: Final = ("server_k8s_config", "run_k8s_config")


@dataclass(frozen=True)
class Needs:
    """``namespace`` is empty where the agent's is meant. ``node_selectors``: what nodes of code servers and of runs
    must bear, each once. What is marked ``optional`` is left out."""

    namespace: str = ""
    accounts: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    config_maps: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    node_selectors: tuple[Mapping[str, str], ...] = field(default=({},))


def needs_of(context: Mapping[str, Any]) -> Needs:
    """The needs of ``container_context.k8s``, or of a launcher's own configuration, which has the same keys. What has
    another shape than its schema is passed over: that is the schema's to say."""
    found: dict[str, dict[str, None]] = {"account": {}, "secret": {}, "config map": {}, "claim": {}}
    for kind, name in _all(context):
        found[kind][name] = None
    selectors: list[Mapping[str, str]] = []
    for name in _PODS:
        given = _mapping(_of(_mapping(_of(_mapping(context.get(name)), "pod_spec_config")), "node_selector"))
        told = {str(key): str(value) for key, value in given.items()}
        selectors += [told] if told not in selectors else []
    return Needs(
        namespace=_text(context.get("namespace")),
        accounts=tuple(found["account"]),
        secrets=tuple(found["secret"]),
        config_maps=tuple(found["config map"]),
        claims=tuple(found["claim"]),
        node_selectors=tuple(selectors),
    )


def _all(context: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _texts(context.get("env_secrets")):
        yield "secret", name
    for name in _texts(context.get("env_config_maps")):
        yield "config map", name
    yield from _of_pod(context)
    yield from _of_container(context)
    for key in _PODS:
        raw = _mapping(context.get(key))
        pod = _mapping(_of(raw, "pod_spec_config"))
        yield from _of_pod(pod)
        yield from _of_container(_mapping(_of(raw, "container_config")))
        for container in (*_mappings(_of(pod, "containers")), *_mappings(_of(pod, "init_containers"))):
            yield from _of_container(container)


def _of_pod(pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if account := _text(_of(pod, "service_account_name")):
        yield "account", account
    for secret in _mappings(_of(pod, "image_pull_secrets")):
        yield from _named("secret", secret)
    for volume in _mappings(_of(pod, "volumes")):
        yield from _of_volume(volume)


def _of_volume(volume: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _named("secret", _mapping(_of(volume, "secret")), "secret_name")
    yield from _named("config map", _mapping(_of(volume, "config_map")))
    yield from _named("claim", _mapping(_of(volume, "persistent_volume_claim")), "claim_name")
    for source in _mappings(_of(_mapping(_of(volume, "projected")), "sources")):
        yield from _named("secret", _mapping(_of(source, "secret")))
        yield from _named("config map", _mapping(_of(source, "config_map")))


def _of_container(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for source in _mappings(_of(container, "env_from")):
        yield from _named("secret", _mapping(_of(source, "secret_ref")))
        yield from _named("config map", _mapping(_of(source, "config_map_ref")))
    for variable in _mappings(_of(container, "env")):
        source = _mapping(_of(variable, "value_from"))
        yield from _named("secret", _mapping(_of(source, "secret_key_ref")))
        yield from _named("config map", _mapping(_of(source, "config_map_key_ref")))


def _named(kind: str, given: Mapping[str, Any], key: str = "name") -> Iterator[tuple[str, str]]:
    if (name := _text(_of(given, key))) and given.get("optional") is not True:
        yield kind, name


def _of(given: Mapping[str, Any], key: str) -> Any:
    first, *rest = key.split("_")
    return given.get(key, given.get(first + "".join(word.capitalize() for word in rest)))


def _mapping(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else {}


def _mappings(given: Any) -> list[Mapping[str, Any]]:
    return [each for each in given if isinstance(each, Mapping)] if isinstance(given, list | tuple) else []


def _texts(given: Any) -> list[str]:
    return [each for each in given if isinstance(each, str)] if isinstance(given, list | tuple) else []


def _text(given: Any) -> str:
    return given if isinstance(given, str) else ""
