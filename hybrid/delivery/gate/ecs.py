"""Rules about ``container_context.ecs`` that the agent's schema does not have: what ECS, or the stack's own policies,
would refuse only when the agent has already given up the old code server.

Sources: dagster_cloud/workspace/ecs and dagster_aws/ecs of dagster-cloud 1.13.27, and the pages of ECS named below.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hybrid.aws.fargate import EPHEMERAL_GIB, text_size_problem
from hybrid.delivery.gate.findings import Severity
from hybrid.delivery.gate.given import GivenByStack
from hybrid.delivery.gate.places import KeyPath

Rule = tuple[KeyPath, Any, Severity, str, str]
"""Path below the context, value, severity, what, next step."""

_SECRET: Final = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[^:*?\s]+(:[^:\s]*){0,3}")
_PARAMETER: Final = re.compile(r"arn:aws[a-z-]*:ssm:[a-z0-9-]+:\d{12}:parameter/\S+")
_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_TOKEN: Final = "DAGSTER_CLOUD_AGENT_TOKEN"  # noqa: S105 - a variable's name
_STACK_TAG: Final = "dagster-hybrid/stack"
_SIDECARS: Final = ("server_sidecar_containers", "run_sidecar_containers")
_CODE: Final = "dagster"  # the name of the code's own container (CONTAINER_NAME of ecs/launcher.py)
_OF_MACHINES: Final = ("host", "dockerVolumeConfiguration")
_SECRET_FORM: Final = "write the whole ARN of a secret of Secrets Manager, as its page shows it."  # noqa: S105 - words
_ROLE_FORM: Final = "write the whole ARN of a role: arn:aws:iam::<account>:role/<name>."


def ecs_rules(said: Mapping[str, Any], given: GivenByStack | None = None) -> Iterator[Rule]:
    """What is wrong with the context ``said``; values of a wrong type are the schema's to find. ``given``: what its
    stack gives to all code, None: not compared."""
    for name in ("server_resources", "run_resources"):
        yield from _size(name, _mapping(said.get(name)))
    yield from _secrets((), said, own_role="execution_role_arn" in said)
    yield from _variables_twice(said, given or GivenByStack())
    yield from _tags_of_secrets(said)
    yield from _roles(said)
    yield from _tags(said, given or GivenByStack())
    yield from _platform(_mapping(said.get("runtime_platform")))
    yield from _volumes(said)
    for name in _SIDECARS:
        yield from _sidecars(name, said)


def _size(name: str, said: Mapping[str, Any]) -> Iterator[Rule]:
    cpu, memory = said.get("cpu"), said.get("memory")
    if isinstance(cpu, str) and isinstance(memory, str):
        if problem := text_size_problem(cpu, memory):
            yield (name, "cpu"), cpu, "error", f"`ecs.{name}`: {problem}.", "choose one of Fargate's sizes."
    elif isinstance(cpu, str) or isinstance(memory, str):
        key, other = ("cpu", "memory") if isinstance(cpu, str) else ("memory", "cpu")
        what = f"`ecs.{name}` says `{key}` alone; `{other}` is then the agent's, and Fargate has certain pairs only."
        yield (name, key), said[key], "warning", what, f"say `{other}` there, too."
    disk, (least, most) = said.get("ephemeral_storage"), EPHEMERAL_GIB
    if isinstance(disk, int) and not least <= disk <= most:
        what = f"`ecs.{name}.ephemeral_storage` is {disk}; Fargate gives {least} to {most} GiB, or 20 without asking."
        yield (name, "ephemeral_storage"), disk, "error", what, "choose one of those, or leave it out."
    count = said.get("replica_count")
    if isinstance(count, int) and count < 1:
        what = f"`ecs.{name}.replica_count` is {count}; without a task the location never loads."
        yield (name, "replica_count"), count, "error", what, "write 1 or more."


def _secrets(path: KeyPath, said: Mapping[str, Any], *, own_role: bool) -> Iterator[Rule]:
    """Secrets of the code's container, or of the one at ``path``."""
    for index, secret in enumerate(_mappings(said.get("secrets"))):
        name, value = str(secret.get("name", ""))[:80], secret.get("valueFrom")
        where = (*path, "secrets", index)
        if name == _TOKEN and not path:
            yield where, name, "error", f"`{_TOKEN}` is the agent's, and given to all code.", "remove it."
        if not isinstance(value, str) or _SECRET.fullmatch(value):
            continue
        if not _PARAMETER.fullmatch(value):
            # what stands there may be the secret itself
            what = f"what the secret {name} comes from is not the ARN of a secret."
            yield (*where, "valueFrom"), value, "error", what, _SECRET_FORM
        elif not own_role:
            what = f"the secret {name} is a parameter of Systems Manager, which the stack's role does not read."
            step = "keep it in Secrets Manager, or name an `execution_role_arn` of your own that may read it."
            yield (*where, "valueFrom"), value, "error", what, step


def _variables_twice(said: Mapping[str, Any], given: GivenByStack) -> Iterator[Rule]:
    listed = said.get("env_vars")
    entries = listed if isinstance(listed, list) else ()
    variables = {entry.partition("=")[0] for entry in entries if isinstance(entry, str)}
    names = [str(secret.get("name", "")) for secret in _mappings(said.get("secrets"))]
    # one of its own kind goes before the stack's; the launcher keeps variables and secrets apart
    clashes = [(name, "secrets", "variable") for name in names if name in given.variables]
    clashes += [(name, "env_vars", "secret") for name in sorted(variables) if name in given.secrets]
    for name, key, kind in clashes:
        what = f"`ecs.{key}` gives {name[:80]}, which the stack gives to all code as a {kind}."
        yield (key,), None, "error", what, "ECS starts no such task: choose another name, or give it the stack's way."
    for name, count in Counter([*names, *variables]).items():
        if count > 1:
            what = f"the variable {name[:80]} is given more than once by `ecs.secrets` and `ecs.env_vars`."
            yield ("secrets",), None, "error", what, "ECS starts no such task: keep one."
    if _TOKEN in variables:
        yield ("env_vars",), None, "error", f"`{_TOKEN}` is given to all code as a secret.", "remove it there."


def _tags_of_secrets(said: Mapping[str, Any]) -> Iterator[Rule]:
    listed = said.get("secrets_tags")
    for index, tag in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(tag, str):
            what = (
                f"`ecs.secrets_tags` takes every secret of the account that carries `{tag[:80]}`, whoever put it on: "
                "the agent gets the right to list all secrets, and the role that starts code to read each with the tag."
            )
            yield ("secrets_tags", index), tag, "warning", what, "name the secrets in `ecs.secrets`, if you can."


def _roles(said: Mapping[str, Any]) -> Iterator[Rule]:
    for key in ("task_role_arn", "execution_role_arn"):
        value = said.get(key)
        if isinstance(value, str) and not _ROLE.fullmatch(value):
            yield (key,), value, "error", f"`ecs.{key}` is not the ARN of a role.", _ROLE_FORM
    login = said.get("repository_credentials")
    if isinstance(login, str) and not _SECRET.fullmatch(login):
        what = "`ecs.repository_credentials` is not the ARN of a secret."
        yield ("repository_credentials",), login, "error", what, _SECRET_FORM


def _tags(said: Mapping[str, Any], given: GivenByStack) -> Iterator[Rule]:
    for name in ("server_ecs_tags", "run_ecs_tags"):
        keys = [str(tag.get("key", "")) for tag in _mappings(said.get(name))]
        for index, key in enumerate(keys):
            where = (name, index)
            if key == _STACK_TAG or key.startswith("dagster/"):
                what = f"`ecs.{name}` sets `{key[:80]}`, by which the stack and the agent know what is theirs."
                yield where, key, "error", what, "choose another key."
            elif key.lower().startswith("aws:"):
                yield where, key, "error", f"`ecs.{name}` sets `{key[:80]}`; such keys are AWS's.", "choose another."
            elif key in keys[:index]:
                yield where, key, "error", f"`ecs.{name}` sets `{key[:80]}` twice.", "keep one."
            elif key in given.tags:
                what = f"`ecs.{name}` sets `{key[:80]}`, which the stack sets on everything (`hybrid:aws.tags`)."
                # of runs both are sent, and ECS refuses a key that comes twice; of servers the stack's value is taken
                severity: Severity = "error" if name == "run_ecs_tags" else "warning"
                yield where, key, severity, what, "remove it in one of the two places."


def _platform(said: Mapping[str, Any]) -> Iterator[Rule]:
    allowed = {"cpuArchitecture": ("X86_64", "ARM64"), "operatingSystemFamily": ("LINUX",)}
    for key, values in allowed.items():
        value = said.get(key)
        if isinstance(value, str) and value not in values:
            what = f"`ecs.runtime_platform.{key}` is `{value[:40]}`; code runs on {' or '.join(values)}."
            yield ("runtime_platform", key), value, "error", what, f"write {' or '.join(values)}."


def _volumes(said: Mapping[str, Any]) -> Iterator[Rule]:
    for index, volume in enumerate(_mappings(said.get("volumes"))):
        for key in _OF_MACHINES:
            if key in volume:
                what = f"`ecs.volumes[{index}].{key}` is for machines of one's own; Fargate has EFS and scratch."
                step = "use `efsVolumeConfiguration`, or the name alone for a scratch folder."
                yield ("volumes", index, key), None, "error", what, step


def _sidecars(name: str, said: Mapping[str, Any]) -> Iterator[Rule]:
    seen = [_CODE]
    for index, container in enumerate(_mappings(said.get(name))):
        where = (name, index)
        called = container.get("name")
        for key in ("name", "image"):
            if not isinstance(container.get(key), str):
                yield where, None, "error", f"`ecs.{name}[{index}]` lacks `{key}`.", f"add `{key}` there."
        if called in seen:
            what = f"two containers of a task would be called `{str(called)[:80]}`; `{_CODE}` is the code's own."
            yield (*where, "name"), called, "error", what, "choose another name."
        seen.append(str(called))
        yield from _secrets(where, container, own_role="execution_role_arn" in said)


def _mapping(said: Any) -> Mapping[str, Any]:
    return said if isinstance(said, Mapping) else {}


def _mappings(said: Any) -> Iterable[Mapping[str, Any]]:
    return [each for each in said if isinstance(each, Mapping)] if isinstance(said, list) else []
