"""``hybrid doctor``: what is missing, before anything starts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli.stack import Json, StackName
from hybrid.errors import HybridError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.toolchain.doctor import Finding
    from stacks.identity import StackIdentity


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    stack: StackName = "local",
    org: Annotated[
        bool, typer.Option("--org", help="Ask the organization too, read-only: what the token may do.")
    ] = False,
    save: Annotated[Path | None, typer.Option("--save", help="Write the whole answer, redacted, to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Look for what is missing or wrong on this machine and in the stack file. Ends with 4 when something is missing.

    Examples: [bold]hybrid doctor[/]  ·  [bold]hybrid doctor prod --org --save answer.json[/]
    """
    from hybrid.cli.console import answer_json, note

    findings = _findings(stack)
    rights = _rights(stack, findings) if org else None
    document: dict[str, Any] = {
        "stack": stack,
        "findings": [
            {"name": item.name, "status": item.status, "detail": item.detail, "next_step": item.next_step}
            for item in findings
        ],
        **({"organization": rights} if org else {}),
    }
    if save is not None:
        _save(save, document)
        note(f"Saved to {save}.")
    if as_json:
        answer_json(document)
    else:
        _print(findings, rights)
    if any(item.status == "missing" for item in findings):
        raise typer.Exit(4)


def _findings(stack: str) -> list[Finding]:
    from hybrid.toolchain.doctor import check_machine

    workspace = Workspace.of_this_checkout()
    return [
        *check_machine(workspace),
        _stack_file(workspace, stack),
        *_port(workspace, stack),
        *_platform(workspace, stack),
    ]


def _platform(workspace: Workspace, stack: str) -> list[Finding]:
    """What the stack's platform needs, with images or without."""
    from hybrid.cli.platform import platform_of
    from hybrid.engine.stack import Stack, identity

    try:
        who = identity(workspace, stack)
    except HybridError:
        return []  # said of the stack file already
    images = _images(who) if who.settings.agent.needs_images else []
    return [*images, *platform_of(Stack(who, ())).findings()]


def _images(who: StackIdentity) -> list[Finding]:
    from hybrid.delivery.images.registry import Registry
    from hybrid.toolchain.containers_doctor import check_containers

    registry = who.settings.registry  # where there is none the stack makes its own
    return check_containers(os.environ, None if registry is None else registry.address, Registry(os.environ).digest)


def _stack_file(workspace: Workspace, stack: str) -> Finding:
    from hybrid.engine.stack import Stack
    from hybrid.toolchain.doctor import Finding

    name = f"stacks/Pulumi.{stack}.yaml"
    if stack == "local" and not workspace.stack_file(stack).exists():
        return Finding("stack file", "ok", f"{name} will be made on first use", None)
    try:
        who = Stack.read(workspace, stack).who
    except HybridError as error:
        return Finding("stack file", "missing", f"{error.what} {error.why or ''}".strip(), error.next_step)
    return Finding("stack file", "ok", f"{name}: {who.endpoint.organization} / {who.endpoint.deployment}", None)


def _port(workspace: Workspace, stack: str) -> list[Finding]:
    """Whether the embedded Dagster+ can have its port; nothing for a stack that serves an organization."""
    from hybrid.engine.stack import identity
    from hybrid.toolchain.doctor import Finding

    try:
        who = identity(workspace, stack)
    except HybridError:
        return []
    if not who.settings.embedded:
        return []
    port = who.settings.emulator.port
    if who.folder.process("emulator").exists() or not _answers(port):
        return [Finding("port", "ok", f"{port} for the embedded Dagster+", None)]
    return [
        Finding(
            "port",
            "missing",
            f"{port} is taken by another process",
            f"end that process, or set hybrid:emulator.port in stacks/Pulumi.{stack}.yaml",
        )
    ]


def _answers(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _rights(stack: str, findings: list[Finding]) -> dict[str, Any] | None:
    from hybrid.cli.dagster_plus import client_of
    from hybrid.engine.stack import identity
    from hybrid.toolchain.doctor import Finding

    try:
        who = identity(Workspace.of_this_checkout(), stack)
        with client_of(who) as client:
            answer: dict[str, Any] = json.loads(client.rights().as_json())
    except HybridError as error:
        findings.append(Finding("organization", "missing", f"{error.what} {error.why or ''}".strip(), error.next_step))
        return None
    findings.append(Finding("organization", "ok", f"{who.endpoint.organization} answers", None))
    return answer


def _save(path: Path, document: dict[str, Any]) -> None:
    from hybrid.errors import UsageError
    from hybrid.redaction import redact

    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(redact(json.dumps(document, indent=2)) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written.", why=error.strerror, next_step="choose another file.") from None


def _print(findings: list[Finding], rights: dict[str, Any] | None) -> None:
    from rich.table import Table
    from rich.text import Text

    from hybrid.cli.console import out
    from hybrid.redaction import redact

    marks = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "missing": ("✗", "red")}
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")
    for item in findings:
        mark, style = marks[item.status]
        table.add_row(Text(mark, style=style), item.name, Text(redact(item.detail)))
        if item.next_step:
            table.add_row("", "", Text(f"→ {redact(item.next_step)}", style="cyan"))
    out.print(table)
    if rights is not None:
        out.print_json(json.dumps(rights))
