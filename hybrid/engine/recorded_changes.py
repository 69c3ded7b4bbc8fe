"""What a change would do, told from two recordings of the program as the engine's own events would tell it.

It knows less than the engine: what a provider makes of a changed input is known for our own provider, and of others
for the two types that an agent runs as. Every other change is said to be an update.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hybrid.engine.events import Event, Operation, ResourceName, StepEnded, StepStarted
from hybrid.engine.recording import Recorded, Recording
from hybrid.provider.definition import PACKAGE, Anything, Definition, Property
from hybrid.provider.difference import Change, changes
from hybrid.provider.properties import Properties
from hybrid.redaction import redact

_OURS: Final = f"{PACKAGE}:index:"
_AGENTS: Final = "::dagsterhybrid:agent:"
_REPLACES: Final = "create-replacement"

# Properties of which another value changes the thing as it stands; any other makes it anew.
_IN_PLACE: Final[Mapping[str, frozenset[str]]] = {
    # A revision of a task definition never changes but for its tags:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
    "aws:ecs/taskDefinition:TaskDefinition": frozenset({"skipDestroy", "tags", "tagsAll", "trackLatest"}),
    # internal/provider/resource_docker_container.go of terraform-provider-docker 3.x: what has no ForceNew
    "docker:index/container:Container": frozenset(
        {
            *("containerReadRefreshTimeoutMilliseconds", "cpuSet", "cpuShares", "destroyGraceSeconds", "healthcheck"),
            *("init", "maxRetryCount", "memory", "memorySwap", "mustRun", "removeVolumes", "restart", "rm", "start"),
            *("tmpfs", "wait", "waitTimeout"),
        }
    ),
}
# Of an image only where it goes and what is in it count; where the folder lies differs from machine to machine.
_OF_AN_IMAGE: Final = ("repository", "arguments", "platforms")
# Types of ours whose comparison looks at files or registries as well.
_BY_WHAT_STANDS: Final = frozenset(
    f"{_OURS}{name}" for name in ("LocationImage", "PublishedImage", "VirtualEnvironment")
)
_IN_ORDER: Final[Properties] = {"pid": 1}
"""Outputs of a thing that stands as it should."""


@dataclass(frozen=True)
class Standing:
    """Resources that stand, as an exported state names them. ``resources``: URN to whether the thing stays when the
    resource goes."""

    resources: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordedChanges:
    """``events`` as the engine would tell them. ``untold``: what stands and is wanted, and the base does not declare:
    whether it would change cannot be told."""

    events: tuple[Event, ...]
    untold: tuple[ResourceName, ...] = ()


def recorded_changes(
    old: Recording | None,
    new: Recording,
    *,
    marks: Mapping[str, Sequence[str]],
    standing: Standing | None = None,
) -> RecordedChanges:
    """From the base's recording to the head's.

    ``marks``: by name of a resource of ours, the paths in it that differ though its inputs are the same.
    ``standing``: what is there decides what is created and deleted, whatever the base says. ``old`` None: only that.
    Without both everything would be new, which is for the caller to say of a stack that is.
    """
    before, after = old.by_urn() if old else {}, new.by_urn()
    there = dict(standing.resources) if standing else {urn: each.retained for urn, each in before.items()}
    found: list[Event] = []
    untold, seen = [], set()
    for urn, wanted in after.items():
        known_as = _known_as(wanted, there)
        seen.add(known_as)
        former = before.get(known_as) or before.get(urn)
        if known_as not in there:
            found += _events(urn, "create", None, wanted.inputs, ())
        elif former is None:
            untold.append(ResourceName.from_urn(urn))
        else:
            found += _changed(urn, former, wanted, marks.get(wanted.name, ()))
    for urn in reversed([*there]):
        if urn not in seen:
            operation: Operation = "keep" if there[urn] else "delete"
            found += _events(urn, operation, before[urn].inputs if urn in before else {}, None, ())
    return RecordedChanges(tuple(found), tuple(untold))


def _known_as(wanted: Recorded, there: Mapping[str, bool]) -> str:
    """The URN by which it stands: its own, or one that it had before; names in an exported state are redacted."""
    return next((urn for urn in (wanted.urn, *wanted.aliases, redact(wanted.urn)) if urn in there), wanted.urn)


def _changed(urn: str, old: Recorded, new: Recorded, marks: Sequence[str]) -> Iterator[Event]:
    if old.inputs == new.inputs and not marks:
        return iter(())
    paths, replaces = _compared(new.type, old.inputs, new.inputs)
    told = (*paths, *(mark for mark in marks if mark not in paths))
    if not told:
        return iter(())
    return _events(urn, "replace" if replaces else "update", old.inputs, new.inputs, told)


def _compared(token: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], bool]:
    """The paths that differ, and whether that means another thing."""
    found = _by_our_provider(token, old, new) if token.startswith(_OURS) else None
    if found is None:
        anything = Definition("", "", {name: Property(Anything(), "") for name in sorted({*old, *new})})
        found = changes(anything, dict(old), dict(new))
    names = {_top(change.path) for change in found}
    replaced = bool(names - _IN_PLACE[token]) if token in _IN_PLACE else any(change.replaces for change in found)
    return [change.path for change in found], replaced


def _by_our_provider(token: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change] | None:
    """What our own provider would say; None: it knows no such type."""
    from hybrid.provider.catalog import resources

    known = resources()
    if token not in known:
        return None
    resource = known[token]
    old, new = (resource.definition.complete(dict(each)) for each in (old, new))  # as the provider's check does
    if token in _BY_WHAT_STANDS:
        told = _OF_AN_IMAGE if token.endswith(":LocationImage") else tuple(resource.definition.inputs)
        return changes(resource.definition, *({key: each.get(key) for key in told} for each in (old, new)))
    return resource.diff(old, _IN_ORDER, new)


def _events(
    urn: str,
    operation: Operation,
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
    changed: Sequence[str],
) -> Iterator[Event]:
    name = ResourceName.from_urn(urn)
    yield StepStarted(name, operation, _restarts(urn, operation, changed, old, new))
    states = [None if inputs is None else {"inputs": inputs, "outputs": {}} for inputs in (old, new)]
    yield StepEnded(name, operation, False, tuple(changed), urn, states[0], states[1])


def _restarts(
    urn: str,
    operation: Operation,
    changed: Sequence[str],
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
) -> tuple[str, ...]:
    if operation not in ("update", "replace") or _AGENTS not in urn:
        return ()
    from stacks.restarts import agent_restarts

    names = {_top(path) for path in changed}
    word = _REPLACES if operation == "replace" else "update"
    return tuple(redact(reason) for reason in agent_restarts(urn, word, names, old, new))


def _top(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]
