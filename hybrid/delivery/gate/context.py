"""Rules about a container context that the agent's schema does not have, each with its reason.

Sources: dagster_cloud/workspace/docker and dagster_docker/docker_run_launcher.py of dagster-cloud 1.13.27.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hybrid.delivery.gate.aca import aca_rules
from hybrid.delivery.gate.ecs import ecs_rules
from hybrid.delivery.gate.findings import Finding, Severity
from hybrid.delivery.gate.given import GivenByStack
from hybrid.delivery.gate.kubernetes import kubernetes_rules
from hybrid.delivery.gate.places import CONTEXT, KeyPath, Places
from hybrid.redaction import redact

_VARIABLE: Final = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")
_SECRET_NAME: Final = re.compile(
    r"(?:^|_)(?:TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIALS?|(?:API|ACCESS|PRIVATE|SECRET)_?KEY)$", re.I
)
_IN_DAGSTER_PLUS: Final = (
    "give it through Dagster+: `hybrid:environmentVariables` of the stack, with `secret:` or `fromEnvironment:`, or "
    "write the name alone here to take the value from the agent's environment."
)
_GIVEN_BY_LAUNCHER: Final = {
    "labels": "the agent finds its containers by labels of its own",
    "auto_remove": "the agent removes its containers itself, and reads from ended ones how they ended",
    "command": "the agent decides what a container runs",
    "detach": "the agent starts containers in the background",
    "environment": "the agent sets variables; `env_vars` adds to them",
    "hostname": "the agent reaches a code server by a name of its own",
    "image": "the image is the location's",
    "name": "the agent names containers",
    "network": "`networks` says it",
    "ports": "the agent chooses the ports",
}


def context_findings(
    location: str,
    context: Mapping[str, Any],
    platform: str | None,
    places: Places,
    *,
    networks: Sequence[str] | None = None,
    given: GivenByStack | None = None,
) -> Iterator[Finding]:
    """What the rules say against ``context``; that of a platform other than the stack's gets warnings at most.
    ``platform`` is the stack's, by its key in a context: ``k8s``."""
    for name, said in context.items():
        if not isinstance(said, Mapping):
            continue
        rules = list(_variables(name, said))
        if name in _OF_CONTEXTS:
            rules += _OF_CONTEXTS[name](said, _Known(networks, given if name == platform else None))
        for path, value, severity, what, step in rules:
            yield Finding(
                location=location,
                severity=severity if name == platform else "warning",
                where=places.where((CONTEXT, name, *path), value),
                what=what,
                next_step=step,
            )


_Rule = tuple[KeyPath, Any, Severity, str, str]


@dataclass(frozen=True)
class _Known:
    """What of the stack a context is held against; ``given`` None: it is another platform's."""

    networks: Sequence[str] | None
    given: GivenByStack | None


def _docker(said: Mapping[str, Any], known: _Known) -> Iterator[_Rule]:
    yield from _container_arguments(said)
    yield from _networks(said, known.networks)


def _ecs(said: Mapping[str, Any], known: _Known) -> Iterator[_Rule]:
    yield from ecs_rules(said, known.given)


def _kubernetes(said: Mapping[str, Any], known: _Known) -> Iterator[_Rule]:
    yield from kubernetes_rules(said, _variable)


def _aca(said: Mapping[str, Any], known: _Known) -> Iterator[_Rule]:
    yield from aca_rules(said)


_OF_CONTEXTS: Final[Mapping[str, Callable[[Mapping[str, Any], _Known], Iterator[_Rule]]]] = {
    "aca": _aca,
    "docker": _docker,
    "ecs": _ecs,
    "k8s": _kubernetes,
}
"""Rules beside those of variables, by the context's name. A platform with some adds a line."""


def _variables(platform: str, said: Mapping[str, Any]) -> Iterator[_Rule]:
    listed = said.get("env_vars")
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, str):
            for severity, what, step in _variable(entry, f"{platform}.env_vars", index):
                yield ("env_vars", index), entry, severity, what, step


def _variable(entry: str, shown: str, index: int) -> Iterator[tuple[Severity, str, str]]:
    name, equals, value = entry.partition("=")
    if not _VARIABLE.fullmatch(name):
        # the entry is not shown: what stands before the first `=` may be part of a secret
        yield (
            "error",
            f"`{shown}[{index}]` is neither NAME=VALUE nor NAME.",
            "write it as one text, such as STAGE=prod; without a value it is taken from the agent's environment.",
        )
    elif equals and redact(entry) != entry:
        yield "error", f"`{shown}` holds a secret in plain text: {name}.", _IN_DAGSTER_PLUS
    elif value and _SECRET_NAME.search(name):
        yield "warning", f"the value of {name} in `{shown}` looks like a secret in plain text.", _IN_DAGSTER_PLUS


def _container_arguments(said: Mapping[str, Any]) -> Iterator[_Rule]:
    arguments = said.get("container_kwargs")
    for key in arguments if isinstance(arguments, Mapping) else ():
        if key in _GIVEN_BY_LAUNCHER:
            what = f"`docker.container_kwargs.{key}` stops every container of the location: {_GIVEN_BY_LAUNCHER[key]}."
            if key == "auto_remove":
                what = f"`docker.container_kwargs.{key}` loses how containers ended: {_GIVEN_BY_LAUNCHER[key]}."
            yield ("container_kwargs", key), None, "error", what, "remove it."


def _networks(said: Mapping[str, Any], known: Sequence[str] | None) -> Iterator[_Rule]:
    listed = said.get("networks")
    for index, network in enumerate(listed if known is not None and isinstance(listed, list) else ()):
        if isinstance(network, str) and network not in (known or ()):
            ours = ", ".join(known or ()) or "none"
            what = f"`docker.networks` has `{network[:80]}`, which is not the stack's ({ours})."
            step = "leave `networks` out, or make that network yourself; `hybrid down` looks at the stack's own alone."
            yield ("networks", index), network, "warning", what, step
