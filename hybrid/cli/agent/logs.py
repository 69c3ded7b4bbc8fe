"""``hybrid agent logs``: what the agent, a code server or a run has written, wherever it lives."""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli.agent.changes import Named, stack_named
from hybrid.errors import UsageError

if TYPE_CHECKING:
    from hybrid.aws.logs import LogLine
    from hybrid.aws.session import Aws
    from hybrid.engine.ecs import EcsPlace
    from hybrid.engine.stack import Stack

_SINCE = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BEFORE_RUN = timedelta(minutes=10)  # a task pulls its image before the run's own clock starts
_AFTER_RUN = timedelta(minutes=2)


def register(app: typer.Typer) -> None:
    app.command()(logs)


def logs(
    stack: Named,
    location: Annotated[str | None, typer.Option("--location", metavar="NAME", help="Its code server's.")] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="ID", help="A run's.")] = None,
    agent: Annotated[bool, typer.Option("--agent", help="The agent's own; so it is without the others.")] = False,
    since: Annotated[str, typer.Option("--since", help="How far back: 90s, 30m, 1h, 2d. ECS only.")] = "1h",
    lines: Annotated[int, typer.Option("-n", "--lines", help="How many of the last lines.", min=0)] = 50,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print the log of the agent, of a location's code server, or of a run: from CloudWatch on ECS, elsewhere as
    `hybrid logs` does.

    Examples: [bold]hybrid agent logs prod -f[/]  ·  [bold]hybrid agent logs prod --location hello --since 2h[/]  ·
    [bold]hybrid agent logs prod --run 5f0c1d2e-… -n 500[/]
    """
    if sum((location is not None, run is not None, agent)) > 1:
        raise UsageError("--agent, --location and --run exclude each other.", next_step="give one of them.")
    back = _back(since)
    standing = stack_named(stack)
    if standing.who.settings.agent.kind != "ecs":
        _elsewhere(standing, location, run, lines, follow=follow)
        return
    from hybrid.aws.session import Aws
    from hybrid.engine.ecs import EcsPlace

    place = EcsPlace.of(standing.who)
    aws = Aws(place.region, place.account)
    wanted = _wanted(standing, place, location, run, datetime.now(UTC) - back)
    found = _last(aws, wanted, lines)
    for line in found:
        _say(line, wanted)
    if follow:
        for line in _followed(aws, wanted, found):
            _say(line, wanted)
    elif not found:
        _nothing(standing, wanted, since)


@dataclass(frozen=True)
class Wanted:
    """Which lines: those of ``group`` in streams that begin with ``prefix``, of one task where ``task`` names it."""

    group: str
    since: datetime
    prefix: str = ""
    task: str = ""
    until: datetime | None = None
    what: str = "the agent"

    def has(self, line: LogLine) -> bool:
        return line.stream.startswith(self.prefix) and self.task in ("", line.task)


def server_family(prefix: str, organization: str | None, deployment: str, location: str) -> str:
    """The family of a code server's task definitions, which its log streams begin with, as the agent names it
    (``get_server_task_definition_family`` of dagster_cloud/workspace/ecs/utils.py)."""
    digest = hashlib.sha1(location.encode(), usedforsecurity=False).hexdigest()[:8]
    return re.sub(r"[^\w^\-]", "", f"{prefix}_{organization}_{deployment}_{location[:55]}_{digest}")[:255]


def _wanted(stack: Stack, place: EcsPlace, location: str | None, run: str | None, since: datetime) -> Wanted:
    who = stack.who
    if run is not None:
        return _of_run(stack, place, run)
    if location is None:
        return Wanted(place.agent_log_group, since)
    from hybrid.cli.locations.selection import known

    known(stack, location)
    family = server_family(place.server_prefix, who.endpoint.organization, who.endpoint.deployment, location)
    return Wanted(place.code_log_group, since, prefix=f"{family}/", what=f"the code server of {location}")


def _of_run(stack: Stack, place: EcsPlace, run: str) -> Wanted:
    """A run's task is named by a tag that the launcher puts on the run (dagster_aws/ecs/launcher.py)."""
    from hybrid.cli.dagster_plus import client_of

    with client_of(stack.who) as client:
        found = client.run(run)
    task = found.tags.get("ecs/task_arn", "").rpartition("/")[2]
    if not task:
        raise UsageError(
            f"The run {run} has no task on ECS.",
            why=f"It is {found.status}; either it was not launched, or by another agent than one on ECS.",
            next_step=f"look at its page: {stack.who.page}/runs/{run}",
        )
    began = datetime.fromtimestamp(found.started_at, UTC) if found.started_at else datetime.now(UTC)
    ended = datetime.fromtimestamp(found.ended_at, UTC) + _AFTER_RUN if found.ended_at else None
    return Wanted(
        place.code_log_group,
        began - _BEFORE_RUN,
        prefix=f"{place.run_prefix}_",
        task=task,
        until=ended,
        what=f"the run {run}",
    )


def _last(aws: Aws, wanted: Wanted, count: int) -> list[LogLine]:
    from hybrid.aws.logs import lines_since

    found = lines_since(aws, wanted.group, wanted.since, prefix=wanted.prefix, until=wanted.until)
    kept = [line for line in found if wanted.has(line)]
    return kept[-count:] if count else []


def _followed(aws: Aws, wanted: Wanted, shown: list[LogLine]) -> Iterator[LogLine]:
    from hybrid.aws.logs import followed

    since = shown[-1].at if shown else datetime.now(UTC)
    already = {(line.at, line.stream, line.message) for line in shown}
    for line in followed(aws, wanted.group, since, time.sleep, prefix=wanted.prefix):
        if wanted.has(line) and (line.at, line.stream, line.message) not in already:
            yield line


def _say(line: LogLine, wanted: Wanted) -> None:
    from rich.text import Text

    from hybrid.cli.console import out
    from hybrid.redaction import redact

    # Dagster's code servers colour what they write, whoever reads it
    message = redact(line.message if sys.stdout.isatty() else _COLOUR.sub("", line.message))
    moment = line.at.astimezone().strftime("%m-%d %H:%M:%S")
    # several tasks may write at once: during a roll, or as replicas
    task = "" if wanted.task else f" {line.task[:8]}"
    out.print(Text(f"{moment}{task}  ", style="dim"), Text.from_ansi(message), sep="")
    sys.stdout.flush()


def _nothing(stack: Stack, wanted: Wanted, since: str) -> None:
    from hybrid.cli.console import note

    note(
        f"Nothing of {wanted.what} in {wanted.group} since {since} ago. Next: a larger --since, or "
        f"`hybrid status {stack.who.stack}` for why it does not run."
    )


def _elsewhere(stack: Stack, location: str | None, run: str | None, lines: int, *, follow: bool) -> None:
    from hybrid.cli import logs as processes

    name = stack.who.stack
    if run is not None:
        raise UsageError(
            f"Runs of the stack '{name}' have no log of their own here.",
            why="What their steps print is in Dagster+; what their processes say is in the agent's log.",
            next_step=f"`hybrid agent logs {name}`, or the run's page: {stack.who.page}/runs/{run}",
        )
    if location is not None and stack.who.settings.agent.kind == "local":
        raise UsageError(
            f"Code servers of the local stack '{name}' write into the agent's log.",
            next_step=f"`hybrid agent logs {name}`.",
        )
    processes.logs(name, location or "agent", lines, follow)


def _back(text: str) -> timedelta:
    found = _SINCE.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise UsageError(f"--since {text} is no time.", next_step="write --since 90s, 30m, 1h or 2d.")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
