"""Why tasks stop: ECS's reasons, exit codes and log lines, and the likely cause of each. Pure.

Sources of the texts: docs.aws.amazon.com/AmazonECS/latest/developerguide, pages stopped-task-error-codes,
resource-initialization-error and task_cannot_pull_image; dagster_aws/ecs/utils.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from hybrid.aws import causes
from hybrid.aws.causes import Cause
from hybrid.aws.tasks import Task


def _words(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)


_NO_WAY: Final = (
    r"(i/o timeout|context deadline exceeded|connection (issue|refused|reset|timed out)|dial tcp|no such host|"
    r"request canceled|send request failed|network is unreachable|check your task network)"
)
_FORBIDDEN: Final = r"(AccessDenied|not authorized|403 Forbidden)"
_NO_LOGIN: Final = r"(no basic auth|pull access denied|unauthorized|authentication|authorization failed)"
_IMAGE: Final = r"(CannotPull|registry.auth)"
_KEPT: Final = r"(secret|\basm\b|\bssm\b|parameter)"
_LOG: Final = r"(logger|log stream|log group|cloudwatch)"
# ECS begins its words about secrets and about logins to registries alike.
_COMMON: Final = _words(r"unable to pull secrets or registry auth:?")

# The first that fits counts: what is special stands before what is general.
_REASONS: Final[tuple[tuple[re.Pattern[str], Cause], ...]] = (
    (_words(r"CannotPull.*(platform|no matching manifest|descriptor matching)"), causes.ARCHITECTURE),
    (_words(r"CannotPull.*(toomanyrequests|rate limit|\b429\b)"), causes.PULL_LIMIT),
    (_words(r"CannotPull.*no space left"), causes.DISK),
    (_words(rf"{_IMAGE}.*{_NO_WAY}"), causes.NO_ROUTE_TO_REGISTRY),
    (_words(rf"{_IMAGE}.*({_FORBIDDEN}|{_NO_LOGIN})"), causes.PULL_PERMISSION),
    (_words(r"CannotPull.*(not found|manifest unknown|does not exist|name unknown)"), causes.IMAGE_MISSING),
    (_words(r"CannotPull.*(invalid argument|EOF)"), causes.PULL_BROKEN),
    (_words(r"CannotPull"), causes.PULL),
    (_words(rf"{_KEPT}.*{_NO_WAY}"), causes.NO_ROUTE_TO_SECRETS),
    (_words(rf"{_KEPT}.*{_FORBIDDEN}"), causes.SECRET_PERMISSION),
    (_words(rf"{_KEPT}.*(json key|unexpected (secret )?ARN format|invalid character)"), causes.SECRET_FORM),
    (_words(rf"{_KEPT}.*(NotFound|can't find|not found|invalid parameters)"), causes.SECRET_MISSING),
    (_words(rf"{_LOG}.*{_NO_WAY}"), causes.NO_ROUTE_TO_LOGS),
    (_words(rf"{_LOG}.*(does not exist|NotFound)"), causes.LOG_GROUP_MISSING),
    (_words(rf"{_LOG}.*{_FORBIDDEN}"), causes.LOG_PERMISSION),
    (_words(r"\befs\b|mount\.nfs|volume"), causes.VOLUME),
    (_words(r"unable to assume (the )?role"), causes.ROLE),
    (_words(r"iam:PassRole"), causes.PASS_ROLE),
    (_words(r"OutOfMemory|out of memory|memory usage"), causes.MEMORY),
    (_words(r"failed (container|ELB) health checks"), causes.HEALTH),
    (_words(r"spot (task|instance) was interrupted|spot interruption"), causes.SPOT),
    (_words(r"reached the limit|quota|LimitExceeded"), causes.QUOTA),
    (_words(r"InsufficientFreeAddresses"), causes.ADDRESSES),
    (_words(r"capacity is unavailable|unable to place|RESOURCE:|insufficient capacity"), causes.CAPACITY),
    (_words(r"network interface|EphemeralStorage provisioning"), causes.PROVISIONING),
    (_words(r"service discovery instance could not be registered"), causes.DISCOVERY),
    (_words(r"no fargate configuration|invalid (cpu|memory)|(cpu|memory) .*not (supported|valid)"), causes.SIZE),
    (_words(r"CannotStartContainer|CannotCreateContainer|OCI runtime"), causes.START),
    (_words(r"DockerTimeout|ContainerRuntimeTimeout|InternalError|ServerException"), causes.AWS_FAULT),
)

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
    (_words(rf"{_FORBIDDEN}"), causes.GRANT),
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

_WANTED: Final = _words(r"scaling activity initiated by|task stopped by")
_FAILED_HEALTH: Final = _words(r"failed (container|ELB) health checks")


def cause_of_text(text: str) -> Cause | None:
    """The likely cause behind a reason of ECS's: a task's ``stoppedReason``, an event of a service."""
    said = _COMMON.sub("", text)
    return next((cause for pattern, cause in _REASONS if pattern.search(said)), None)


def cause_of_lines(lines: Sequence[str]) -> Cause | None:
    """The likely cause that a log tells."""
    said = "\n".join(lines)
    return next((cause for pattern, cause in _LINES if pattern.search(said)), None)


def likely_cause(task: Task, lines: Sequence[str] = ()) -> Cause:
    """Why ``task`` stopped. ``lines``: the end of its log; they count where ECS itself says no more than that a
    container ended, or was not healthy."""
    told = cause_of_text(reason_of(task)) or (causes.SPOT if task.stop_code == "SpotInterruption" else None)
    if told is not None and told is not causes.HEALTH:
        return told
    found = cause_of_lines(lines) or told
    if found is not None:
        return found
    codes = [one.exit_code for one in task.containers if one.exit_code]
    return next((_EXITS[code] for code in codes if code in _EXITS), causes.ENDED if _ended(task) else causes.UNKNOWN)


def reason_of(task: Task) -> str:
    """What ECS says of a task that stopped: its own reason and its containers', redundant ones left out."""
    found = [task.stopped_reason, *(one.reason for one in task.containers)]
    return "; ".join(text for index, text in enumerate(found) if text and text not in found[:index])


def exits_of(task: Task) -> str:
    """ "agent ended with 1, proxy ended with 0"; empty when none ended by itself."""
    return ", ".join(f"{one.name} ended with {one.exit_code}" for one in task.containers if one.exit_code is not None)


def has_failed(task: Task) -> bool:
    """Whether a task stopped, or stops, though it should not: scaling, roll-outs and people stop tasks, too."""
    if task.desired_status != "STOPPED" and not task.is_stopped:
        return False
    if _FAILED_HEALTH.search(task.stopped_reason):
        return True
    if task.stop_code in {"UserInitiated", "ServiceSchedulerInitiated"}:
        return False
    return not _WANTED.search(task.stopped_reason)


def _ended(task: Task) -> bool:
    return task.stop_code == "EssentialContainerExited" or any(one.exit_code is not None for one in task.containers)
