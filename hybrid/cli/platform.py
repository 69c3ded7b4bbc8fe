"""A stack's platform for a command: with the command line's notes, and its way to Dagster+."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hybrid.engine.stack import Stack
    from hybrid.platforms.commands import PlatformCommands


def platform_of(stack: Stack) -> PlatformCommands:
    """What the commands do otherwise where the stack's agent lives."""
    from hybrid.cli.console import note
    from hybrid.cli.dagster_plus import client_of
    from hybrid.platforms.choice import commands_of

    return commands_of(stack, note, lambda: client_of(stack.who))
