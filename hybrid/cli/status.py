"""``hybrid status``: whether the agent is RUNNING and the stack's code locations are loaded, as Dagster+ says it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from hybrid.cli.stack import Json, StackName
from hybrid.errors import NotReadyError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.measure import Measurement
    from rich.text import Text

    from hybrid.engine.stack import Stack
    from hybrid.platforms.commands import PlatformStanding
    from hybrid.plus import Agent, CodeLocationStatus

NOT_REGISTERED = "NOT_REGISTERED"
_DIGITS = 12  # of a digest, as Docker shows them


def register(app: typer.Typer) -> None:
    app.command()(status)


def status(stack: StackName = "local", as_json: Json = False) -> None:
    """Show the stack's agents and code locations. Ends with 0 only when one is RUNNING and all are loaded, else 7.

    Examples: [bold]hybrid status[/]  ·  [bold]hybrid status local --json | jq .agents[/]
    """
    if not print_standing(stack, as_json=as_json):
        raise typer.Exit(NotReadyError.exit_code)


@dataclass(frozen=True)
class Standing:
    """How a stack stands: its own agents and locations, not what else the deployment has."""

    stack: Stack
    agents: list[Agent]
    locations: dict[str, CodeLocationStatus | None]
    """By name; None: the stack has it and Dagster+ does not."""
    platform: PlatformStanding | None = None
    """What the platform says, where it has something to say."""

    @property
    def is_ready(self) -> bool:
        running = any(agent.is_running for agent in self.agents)
        return running and all(found is not None and found.is_loaded for found in self.locations.values())

    def document(self) -> dict[str, Any]:
        """The answer of ``status --json``; its keys are documented in docs/cli.md and do not change."""
        who = self.stack.who
        return {
            "stack": who.stack,
            "organization": who.endpoint.organization,
            "deployment": who.endpoint.deployment,
            "agents": [
                {
                    "id": agent.id,
                    "label": agent.label,
                    "type": agent.type,
                    "status": agent.status,
                    "heartbeat_age_s": _age(agent),
                }
                for agent in self.agents
            ],
            "locations": [
                {
                    "name": name,
                    "load_status": found.load_status if found else NOT_REGISTERED,
                    "image": found.image if found else None,
                    "error": found.error.message if found and found.error else None,
                }
                for name, found in self.locations.items()
            ],
            "url": who.page,
            **({self.platform.key: self.platform.document()} if self.platform is not None else {}),
        }


def print_standing(name: str, *, as_json: bool, more: Mapping[str, Any] | None = None) -> bool:
    """Print how the stack stands; whether it is ready. ``more``: further keys of the JSON document."""
    from hybrid.cli.console import answer_json
    from hybrid.engine.stack import Stack

    standing = _standing(Stack.read(Workspace.of_this_checkout(), name))
    if as_json:
        answer_json({**standing.document(), **(more or {})})
    else:
        _print(standing)
    return standing.is_ready


def _standing(stack: Stack) -> Standing:
    """What Dagster+ says. An embedded one that is not there is an answer too: nothing stands."""
    from hybrid.cli.console import note
    from hybrid.cli.dagster_plus import client_of
    from hybrid.cli.platform import platform_of
    from hybrid.plus import PlusUnreachable

    who = stack.who
    nothing = Standing(stack, [], dict.fromkeys(stack.location_names))
    try:
        if who.token_file is None or who.token_file.exists():
            with client_of(who) as client:
                mine = [agent for agent in client.agents() if agent.label == who.agent_label]
                found = {location.name: location for location in client.code_locations()}
            located = {name: found.get(name) for name in stack.location_names}
            return Standing(stack, _telling(mine), located, platform_of(stack).standing(mine))
    except PlusUnreachable:
        if not who.settings.embedded:
            raise
    note(f"The embedded Dagster+ of the stack '{who.stack}' does not answer. Next: `{_hybrid()} up {who.stack}`.")
    return nothing


def _telling(agents: list[Agent]) -> list[Agent]:
    """Dagster+ remembers every start of an agent; those that run count, or else the last one that did."""
    latest = sorted(agents, key=lambda agent: agent.last_heartbeat, reverse=True)
    return [agent for agent in latest if agent.is_running] or latest[:1]


def _print(standing: Standing) -> None:
    from rich.table import Table
    from rich.text import Text

    from hybrid.cli.console import out

    who = standing.stack.who
    embedded = "  (embedded on this machine)" if who.settings.embedded else ""
    out.print(
        Text(who.stack, style="bold") + Text(f"  {who.endpoint.organization} / {who.endpoint.deployment}{embedded}")
    )
    table = Table(box=None, pad_edge=False, show_header=False)
    for agent in standing.agents:
        word = Text(agent.status, style="green" if agent.is_running else "red")
        table.add_row("agent", Text(agent.label or agent.id), word, f"heartbeat {_age(agent):.0f} s ago")
    if not standing.agents:
        table.add_row("agent", who.agent_label, Text("NOT THERE", style="red"), "none with this label has reported")
    for name, found in standing.locations.items():
        table.add_row("location", Text(name), *_location(found))
    out.print(table)
    if standing.platform is not None:
        _print_platform(standing.platform)
    out.print(f"UI: {who.page}")
    if standing.is_ready:
        _print_next(standing)


def _print_platform(standing: PlatformStanding) -> None:
    from hybrid.cli.console import note, out
    from hybrid.platforms.commands import Remark

    for shown in standing.shown():
        if isinstance(shown, Remark):
            note(shown.text)
        else:
            out.print(shown)


def _location(found: CodeLocationStatus | None) -> tuple[Any, Any]:
    from rich.text import Text

    if found is None:
        return Text("NOT REGISTERED", style="red"), ""
    if found.error is not None:
        return Text("ERROR", style="red"), Text(found.error.message.strip().splitlines()[0])
    word = "LOADING" if found.is_outdated else found.load_status
    source = _Image(found.image) if found.image else Text("runs from its folder")
    return Text(word, style="green" if found.is_loaded else "yellow"), source


@dataclass(frozen=True)
class _Image:
    """An image in a column: whole where there is room, else without most of its digest, and then of its repository.
    The digest's beginning tells one image of a location from the next, so it is what stays."""

    reference: str

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        return Measurement(min(len(self.within(0)), options.max_width), len(self.reference))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        from rich.text import Text

        yield Text(self.within(options.max_width), no_wrap=True, overflow="ellipsis")

    def within(self, width: int) -> str:
        """The reference in ``width`` columns, or in as many as a digest's beginning takes."""
        repository, at, digest = self.reference.partition("@sha256:")
        if len(self.reference) <= width or not at:
            return self.reference
        end = at + digest[:_DIGITS]
        room = width - len(end)
        return (repository if len(repository) <= room else f"{repository[: max(room - 1, 1)]}…") + end


def _print_next(standing: Standing) -> None:
    from hybrid.cli.console import out

    stack, hybrid = standing.stack.who.stack, _hybrid()
    # a location of the repository's own, so that a newcomer has something to launch
    run = f"{stack} hello greet" if "hello" in standing.locations else f"{stack} LOCATION JOB"
    logs = "logs" if standing.platform is None else "agent logs"
    out.print(
        f"Next: [bold]{hybrid} run {run}[/]  ·  [bold]{hybrid} open {stack}[/]  ·  [bold]{hybrid} {logs} {stack} -f[/]"
    )


def _hybrid() -> str:
    """The command as this person can type it."""
    return "hybrid" if shutil.which("hybrid") else ".venv/bin/hybrid"


def _age(agent: Agent) -> float:
    return round(max(0.0, time.time() - agent.last_heartbeat), 1)
