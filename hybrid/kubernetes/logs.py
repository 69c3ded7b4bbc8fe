"""Log lines of pods, redacted before anybody sees them. A node keeps them until the pod is removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from hybrid.kubernetes.errors import KubernetesError
from hybrid.kubernetes.session import Cluster
from hybrid.kubernetes.workloads import NEVER, Container, Pod, moment
from hybrid.redaction import redact

_MOST_BYTES: Final = 4 * 1024 * 1024  # of one look at one container
_LATE: Final = timedelta(seconds=5)  # `sinceTime` counts in whole seconds, and clocks of nodes differ


@dataclass(frozen=True)
class LogLine:
    """One line of a container. ``at``: when the node's container runtime got it."""

    at: datetime
    pod: str
    container: str
    message: str


def container_to_show(pod: Pod, name: str | None = None) -> Container | None:
    """The container whose log tells most: the named one, else one that ended badly or waits after it did, else the
    first of the main ones. None when none has been started."""
    begun = [one for one in pod.containers if one.state in {"running", "terminated"} or one.restarts or one.last_ended]
    if name is not None:
        return next((one for one in begun if one.name == name), None)
    bad = [one for one in begun if one.exit_code]
    main = [one for one in begun if not one.first]
    return next(iter((*bad, *main, *begun)), None)


def lines_of(cluster: Cluster, pod: Pod, count: int = 30, container: str | None = None) -> list[str]:
    """The last lines of a pod, oldest first: of the try before, when its container ended and is not started again yet;
    nothing when it never came to log. Raises ``KubernetesError``."""
    shown = container_to_show(pod, container)
    if shown is None:
        return []
    before = shown.state == "waiting" or (shown.state == "running" and not shown.ready and shown.restarts > 0)
    query = {"container": shown.name, "tailLines": str(count), "limitBytes": str(_MOST_BYTES)}
    if before:
        try:
            told = cluster.log(pod.thing.namespace, pod.name, {**query, "previous": "true"})
        except KubernetesError as error:
            if error.status != 400:  # the runtime has thrown it away
                raise
        else:
            return _lines(told)
    return _lines(cluster.log(pod.thing.namespace, pod.name, query))


def lines_since(
    cluster: Cluster, pods: Sequence[Pod], since: datetime, container: str | None = None, count: int | None = None
) -> list[LogLine]:
    """All lines of pods from ``since`` on, or the last ``count`` of them, oldest first. Pods that have gone, or have
    not begun, have none. Raises ``KubernetesError``."""
    found: list[LogLine] = []
    for pod in pods:
        shown = container_to_show(pod, container)
        if shown is None:
            continue
        try:
            told = cluster.log(pod.thing.namespace, pod.name, _since(shown.name, since, count))
        except KubernetesError as error:
            if error.status not in {400, 404}:  # not begun, or gone, since the look
                raise
            continue
        found += [line for line in _timed(told, pod.name, shown.name) if line.at >= since]
    found.sort(key=lambda line: line.at)
    return found if count is None else found[len(found) - min(count, len(found)) :]


def followed(
    cluster: Cluster,
    pods: Callable[[], Sequence[Pod]],
    since: datetime,
    wait: Callable[[float], object],
    *,
    container: str | None = None,
    seconds: float = 1.0,
) -> Iterator[LogLine]:
    """Lines as they come, for ever, also of pods that take the place of others: each once. ``pods`` looks for them
    anew; ``wait`` pauses between two looks, and ends the whole by raising."""
    seen: dict[LogLine, int] = {}
    newest = since
    while True:
        counted: dict[LogLine, int] = {}
        start = since if newest == since else max(since, newest - _LATE)
        for line in lines_since(cluster, pods(), start, container):
            counted[line] = counted.get(line, 0) + 1  # a program may say the same twice within one tick
            if counted[line] > seen.get(line, 0):
                newest = max(newest, line.at)
                yield line
        seen = {line: max(count, seen.get(line, 0)) for line, count in counted.items()} | {
            line: count for line, count in seen.items() if line not in counted and line.at >= newest - _LATE
        }
        wait(seconds)


def _since(container: str, since: datetime, count: int | None) -> dict[str, str]:
    query = {"container": container, "timestamps": "true", "limitBytes": str(_MOST_BYTES)}
    if count is not None:
        query["tailLines"] = str(count)
    if since > NEVER:
        query["sinceTime"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return query


def _timed(told: str, pod: str, container: str) -> Iterator[LogLine]:
    for line in told.splitlines():
        stamp, _, message = line.partition(" ")
        at = moment(stamp)
        if at is not None:  # what was cut by the limit of bytes has no time at its beginning
            yield LogLine(at, pod, container, redact(message))


def _lines(told: str) -> list[str]:
    return [redact(line.rstrip()) for line in told.splitlines()]
