"""``hybrid status``: whether the agent is RUNNING and every code location is loaded, as Dagster+ says it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import typer

from hybrid.cli.stack import Json, StackName
from hybrid.errors import NotReadyError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.plus import Agent, CodeLocationStatus
    from stacks.identity import StackIdentity


def register(app: typer.Typer) -> None:
    app.command()(status)


def status(stack: StackName = "local", as_json: Json = False) -> None:
    """Show the stack's agents and code locations. Ends with 0 only when one is RUNNING and all are loaded, else 7.

    Examples: [bold]hybrid status[/]  ·  [bold]hybrid status local --json | jq .agents[/]
    """
    if not print_standing(stack, as_json=as_json):
        raise typer.Exit(NotReadyError.exit_code)


def print_standing(stack: str, *, as_json: bool) -> bool:
    """Print how the stack stands; whether it is ready."""
    from hybrid.cli.console import answer_json, note
    from hybrid.engine.stack import identity

    who = identity(Workspace.of_this_checkout(), stack)
    answer = _ask(who)
    if answer is None:
        note(f"The embedded Dagster+ of the stack '{stack}' is not running. Next: `hybrid up {stack}`.")
    agents, locations = answer or ([], [])
    ready = any(agent.is_running for agent in agents) and all(location.is_loaded for location in locations)
    if as_json:
        answer_json(document(who, agents, locations))
    else:
        _print(who, agents, locations, ready)
    return ready


def _ask(who: StackIdentity) -> tuple[list[Agent], list[CodeLocationStatus]] | None:
    """The stack's agents and locations; None when an embedded Dagster+ is not there, an answer too."""
    from hybrid.cli.dagster_plus import client_of
    from hybrid.plus import PlusUnreachable

    if who.token_file is not None and not who.token_file.exists():
        return None
    try:
        with client_of(who) as client:
            agents = [agent for agent in client.agents() if agent.label == who.agent_label]
            return agents, client.code_locations()
    except PlusUnreachable:
        if who.settings.embedded:
            return None
        raise


def document(who: StackIdentity, agents: list[Agent], locations: list[CodeLocationStatus]) -> dict[str, Any]:
    """The answer of ``status --json``; its keys are documented in docs/cli.md and do not change."""
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
                "heartbeat_age_s": round(max(0.0, time.time() - agent.last_heartbeat), 1),
            }
            for agent in agents
        ],
        "locations": [
            {
                "name": location.name,
                "load_status": location.load_status,
                "image": location.image,
                "error": location.error.message if location.error else None,
            }
            for location in locations
        ],
        "url": who.page,
    }


def _print(who: StackIdentity, agents: list[Agent], locations: list[CodeLocationStatus], ready: bool) -> None:
    from rich.table import Table

    from hybrid.cli.console import out

    embedded = "  (embedded on this machine)" if who.settings.embedded else ""
    out.print(f"[bold]{who.stack}[/]  {who.endpoint.organization} / {who.endpoint.deployment}{embedded}")
    table = Table(box=None, pad_edge=False, show_header=False)
    for agent in agents:
        style = "green" if agent.is_running else "red"
        age = max(0.0, time.time() - agent.last_heartbeat)
        table.add_row("agent", agent.label or agent.id, f"[{style}]{agent.status}[/]", f"heartbeat {age:.0f} s ago")
    if not agents:
        table.add_row("agent", who.agent_label, "[red]NOT THERE[/]", "no agent with this label has reported")
    for location in locations:
        style = "green" if location.is_loaded else "red"
        word = "ERROR" if location.error else location.load_status
        detail = location.error.message.strip().splitlines()[0] if location.error else (location.image or "no image")
        table.add_row("location", location.name, f"[{style}]{word}[/]", detail)
    out.print(table)
    out.print(f"UI: {who.page}")
    if ready:
        _print_next(who.stack, locations)


def _print_next(stack: str, locations: list[CodeLocationStatus]) -> None:
    from hybrid.cli.console import out

    run = "hybrid run local hello greet" if any(item.name == "hello" for item in locations) else "hybrid run --help"
    out.print(f"Next: [bold]{run}[/]  ·  [bold]hybrid open {stack}[/]  ·  [bold]hybrid logs {stack} -f[/]")
