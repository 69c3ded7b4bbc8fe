"""Why pods do not run: what the cluster says, exit codes and log lines, and the likely cause of each. Pure.

Sources of the texts: kubernetes/pkg/kubelet/images/types.go and container/sync_result.go (reasons of waiting),
kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle, the scheduler's plugins (pkg/scheduler/framework/plugins),
apiserver's admission plugins resourcequota, limitranger and podsecurity, and containerd's errors of pulls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from hybrid.kubernetes import causes
from hybrid.kubernetes.causes import Cause
from hybrid.kubernetes.events import Event
from hybrid.kubernetes.workloads import Container, Deployment, Pod


def _words(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)


_NO_WAY: Final = (
    r"(i/o timeout|context deadline exceeded|connection (refused|reset|timed out)|dial tcp|no such host|"
    r"TLS handshake timeout|network is unreachable|failed to do request)"
)
_NO_LOGIN: Final = (
    r"(unauthorized|authentication required|pull access denied|no basic auth|authorization failed|403 Forbidden|"
    r"insufficient_scope|denied:)"
)
_PULL: Final = r"(pull|ErrImage|image \")"

# The first that fits counts: what is special stands before what is general.
_TEXTS: Final[tuple[tuple[re.Pattern[str], Cause], ...]] = (
    (_words(r"exec format error|no match(ing manifest)? for platform|no matching manifest"), causes.ARCHITECTURE),
    (_words(r"ErrImageNeverPull"), causes.NEVER_PULLED),
    (_words(r"InvalidImageName"), causes.IMAGE_NAME),
    (_words(rf"{_PULL}.*(toomanyrequests|rate limit|429 Too Many)"), causes.PULL_LIMIT),
    (_words(rf"{_PULL}.*(x509|certificate|server gave HTTP response)"), causes.REGISTRY_CERTIFICATE),
    (_words(rf"{_PULL}.*{_NO_LOGIN}"), causes.PULL_PERMISSION),
    (_words(rf"{_PULL}.*(not found|manifest unknown|NotFound|name unknown|does not exist)"), causes.IMAGE_MISSING),
    (_words(rf"{_PULL}.*{_NO_WAY}"), causes.NO_ROUTE_TO_REGISTRY),
    (_words(rf"{_PULL}.*(unexpected EOF|\bEOF\b|cancel)"), causes.PULL_BROKEN),
    (_words(r"ImagePullBackOff|ErrImagePull|RegistryUnavailable|ImageInspectError"), causes.PULL),
    (_words(r"exceeded quota|must specify (limits|requests)|failed quota"), causes.QUOTA),
    (_words(r"(maximum|minimum) (cpu|memory|ephemeral-storage|storage) (usage )?per |limit to request ratio"),
     causes.LIMIT_RANGE),
    (_words(r"violates PodSecurity|admission webhook|ValidatingAdmissionPolicy"), causes.POD_SECURITY),
    (_words(r"service ?account \S* ?not found|looking up service account"), causes.ACCOUNT_MISSING),
    (_words(r"couldn't find key \S+ in ConfigMap|configmaps? \"[^\"]*\" not found|references non-existent config key"),
     causes.CONFIG_MAP_MISSING),
    (_words(r"couldn't find key \S+ in Secret|secrets? \"[^\"]*\" not found|references non-existent secret key"),
     causes.SECRET_MISSING),
    (_words(r"runAsNonRoot|non-numeric user"), causes.USER),
    (_words(r"persistentvolumeclaim|PersistentVolumeClaims|volume node affinity|Multi-Attach"), causes.CLAIM),
    (_words(r"FailedMount|FailedAttachVolume|MountVolume|Unable to attach or mount"), causes.VOLUME),
    (_words(r"FailedCreatePodSandBox|NetworkNotReady|failed to assign an IP"), causes.ADDRESSES),
    (_words(r"Insufficient (cpu|memory|ephemeral-storage|pods|\S+)|Too many pods|no nodes available"), causes.ROOM),
    (_words(r"node affinity|node selector|untolerated taint|node\(s\) (didn't|did not) (match|satisfy)|unschedulable"),
     causes.NODES),
    (_words(r"OOMKilled"), causes.MEMORY),
    (_words(r"Evicted|node was low on resource"), causes.EVICTED),
    (_words(r"Preempted|NodeLost|NodeShutdown|Shutdown|TaintManagerEviction|NodeNotReady"), causes.MOVED),
    (_words(r"DeadlineExceeded"), causes.DEADLINE),
    (_words(r"CreateContainerConfigError"), causes.CONTAINER),
    (_words(r"(Liveness|Startup|Readiness) probe failed|Unhealthy"), causes.HEALTH),
    (_words(r"executable file not found|permission denied|no such file or directory|StartError|ContainerCannotRun|"
            r"RunContainerError|CreateContainerError"), causes.START),
)  # fmt: skip

_LINES: Final[tuple[tuple[re.Pattern[str], Cause], ...]] = (
    (_words(r"exec format error"), causes.ARCHITECTURE),
    (_words(r"environment variable [^\n]* which is not set"), causes.VARIABLE),
    (
        _words(
            r"DagsterCloudUnauthorized|invalid (agent )?token|\b401\b[^\n]{0,40}(unauthorized|for url)|"
            r"authentication failed|not permitted to access this deployment"
        ),
        causes.WRONG_TOKEN,
    ),
    (_words(r"DagsterInvalidConfigError|unexpected config entry|missing required config"), causes.SETTINGS),
    (_words(r"cannot (create|get|list|delete|update|patch) resource"), causes.RIGHTS),
    (
        _words(
            r"(max retries exceeded|timed out|failed to establish|name resolution|ConnectTimeout)[^\n]*dagster\.cloud|"
            r"dagster\.cloud[^\n]*(max retries exceeded|timed out|failed to establish|name resolution|refused)"
        ),
        causes.NO_ROUTE_TO_DAGSTER,
    ),
    (_words(r"ModuleNotFoundError|ImportError|no module named"), causes.IMPORT),
)

# Above 128 it was a signal: docs.docker.com/engine/containers/run/#exit-status
_EXITS: Final = {126: causes.START, 127: causes.START, 137: causes.KILLED, 139: causes.CRASH}
_BEGINNING: Final = frozenset({"", "ContainerCreating", "PodInitializing"})
_RESTARTS: Final = 3  # a container that was started so often will not come by itself
_TELLING: Final = re.compile(r"^(Failed|FailedMount|FailedScheduling|FailedCreate|Unhealthy|Evicted|NetworkNotReady)")


def cause_of_text(text: str) -> Cause | None:
    """The likely cause behind words of the cluster's: a reason with its message, an event."""
    return next((cause for pattern, cause in _TEXTS if pattern.search(text)), None)


def cause_of_lines(lines: Sequence[str]) -> Cause | None:
    """The likely cause that a log tells."""
    said = "\n".join(lines)
    return next((cause for pattern, cause in _LINES if pattern.search(said)), None)


def likely_cause(pod: Pod, events: Sequence[Event] = (), lines: Sequence[str] = ()) -> Cause:
    """Why ``pod`` does not run. ``lines``: the end of its log; they count where the cluster says no more than that a
    container ended."""
    told = cause_of_text(reason_of(pod, events))
    if told is not None and told is not causes.HEALTH:
        return told
    found = cause_of_lines(lines) or told
    if found is not None:
        return found
    codes = [one.exit_code for one in pod.containers if one.exit_code is not None]
    if bad := next((code for code in codes if code), None):
        return _EXITS.get(bad, causes.ENDED)
    if codes:
        return causes.ENDED
    return causes.BEGINNING if pod.phase == "Pending" else causes.UNKNOWN


def reason_of(pod: Pod, events: Sequence[Event] = ()) -> str:
    """What the cluster says of a pod that does not run: the pod's own words, its containers', then what events add."""
    found = [_joined(pod.reason, pod.message)]
    status, reason, message = pod.conditions.get("PodScheduled", ("", "", ""))
    if status == "False":
        found.append(_joined(reason, message))
    for one in pod.containers:
        if one.state == "waiting" and one.reason not in _BEGINNING and one.reason != "CrashLoopBackOff":
            found.append(_joined(one.reason, one.message))
        if one.last_reason not in {"", "Completed", "Error"} or (one.exit_code and one.last_message):
            found.append(_joined(one.last_reason, one.last_message))
    if not pod.is_ready:
        found += [event.text() for event in _telling(events)[-2:]]
    return "; ".join(dict.fromkeys(text for text in found if text))


def exits_of(pod: Pod) -> str:
    """ "agent ended with 1 (3 times)"; empty when none ended."""
    ended = [one for one in pod.containers if one.exit_code is not None]
    return ", ".join(f"{one.name} ended with {one.exit_code}{_often(one)}" for one in ended)


def is_in_trouble(pod: Pod) -> bool:
    """Whether something keeps a pod from its work that is more than a beginning: what is waited for may still come."""
    if pod.thing.leaving or pod.phase == "Succeeded":
        return False
    if pod.phase == "Failed":
        return True
    unplaced = pod.conditions.get("PodScheduled", ("", "", ""))
    if unplaced[0] == "False" and unplaced[1] == "Unschedulable":
        return True
    waiting = any(one.state == "waiting" and one.reason not in _BEGINNING for one in pod.containers)
    ended = any(one.state == "terminated" and not _finished(one) for one in pod.containers)
    again = any(one.restarts >= _RESTARTS and not one.ready for one in pod.containers)
    return waiting or ended or again


def cause_of_rollout(deployment: Deployment, events: Sequence[Event]) -> tuple[str, Cause] | None:
    """Why a deployment's pods cannot even be made, in the cluster's words, with the likely cause; None when nothing
    says so."""
    status, reason, message = deployment.conditions.get("ReplicaFailure", ("", "", ""))
    texts = [_joined(reason, message)] if status == "True" else []
    texts += [event.text() for event in reversed(events) if event.is_warning and event.reason == "FailedCreate"]
    for text in texts:
        return text, cause_of_text(text) or causes.UNKNOWN
    return None


def _telling(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event.is_warning and _TELLING.match(event.reason)]


def _finished(container: Container) -> bool:
    """Whether it ran before the others and did what it had to."""
    return container.first and container.exit_code == 0


def _often(container: Container) -> str:
    return f" ({container.restarts + (container.state == 'terminated')} times)" if container.restarts > 1 else ""


def _joined(reason: str, message: str) -> str:
    return f"{reason}: {message}" if reason and message else reason or message
