"""What the commands of a switch stand on: the real work behind it, with the commands' own ways to show and to ask."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import typer

from hybrid.errors import SettingsError, StoppedError, ValuesNotCopiedError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.cli.switch_table import StepTable
    from hybrid.engine.engine import Listener
    from hybrid.plus import PlusClient
    from hybrid.switch.choices import Choices
    from hybrid.switch.plan import Strategy
    from hybrid.switch.run import Switching
    from hybrid.switch.stack_work import StackSwitchWork
    from hybrid.switch.work import ValuesDone
    from stacks.identity import StackIdentity


def steps(strategy: Strategy) -> list[tuple[str, str]]:
    """Names and titles, in their order."""
    from hybrid.switch.steps import kinds_of

    return [(kind.name, kind.title) for kind in kinds_of(strategy)]


def strategy_of(stack: str, wanted: Strategy) -> Strategy:
    """Of the switch that the stack's journal has, else the ``wanted`` one."""
    from hybrid.engine.stack import identity
    from hybrid.switch.journal import read_journal
    from hybrid.switch.run import stage_of, strategy_in
    from hybrid.switch.stack_work import journal_of

    found = read_journal(journal_of(identity(Workspace.of_this_checkout(), stack)))
    return wanted if found is None or stage_of(found[1]) == "back" else strategy_in(found[1], wanted)


def is_begun(stack: str) -> bool:
    """Whether the stack's journal has a switch that is on its way, or done."""
    from hybrid.engine.stack import identity
    from hybrid.switch.journal import read_journal
    from hybrid.switch.run import stage_of
    from hybrid.switch.stack_work import journal_of

    found = read_journal(journal_of(identity(Workspace.of_this_checkout(), stack)))
    return found is not None and stage_of(found[1]) not in ("new", "back")


@contextmanager
def switching_of(
    stack: str, choices: Choices, *, yes: bool, smokes: Sequence[str] = (), allow_rest: bool = False
) -> Iterator[Switching]:
    """A switch as the command line carries it out: with the table, the person who is asked, and one at a time here."""
    from dataclasses import replace

    from hybrid.cli.console import note, notes
    from hybrid.cli.switch_table import StepTable
    from hybrid.switch.claim import only_one_here
    from hybrid.switch.platform_times import agent_seconds
    from hybrid.switch.run import Switching
    from hybrid.switch.stack_work import journal_of

    listed = steps(strategy_of(stack, choices.strategy))
    with StepTable(notes, listed) as table, work_of(stack, smokes=smokes, allow_rest=allow_rest, table=table) as work:

        def ask(question: str) -> None:
            if not yes:
                with table.aside():
                    typer.confirm(question, abort=True, err=True)

        asked = replace(
            choices,
            ask=ask,
            poll_seconds=0.3 if work.who.endpoint.is_loopback else choices.poll_seconds,
            agent_seconds=max(choices.agent_seconds, agent_seconds(work.who.settings.agent.kind)),
        )
        with only_one_here(work.workspace.private, work.organization):
            yield Switching(work, journal_of(work.who), asked, note, table)


@contextmanager
def work_of(
    stack: str, *, smokes: Sequence[str] = (), allow_rest: bool = False, table: StepTable | None = None
) -> Iterator[StackSwitchWork]:
    """The real work, for a stack of an organization. ``smokes`` are LOCATION:JOB."""
    from contextlib import nullcontext

    from hybrid.cli.console import note
    from hybrid.cli.dagster_plus import client_of
    from hybrid.cli.tools import pulumi_with_progress
    from hybrid.switch.smokes import smokes_of
    from hybrid.switch.stack_work import StackSwitchWork, known_stack

    workspace = Workspace.of_this_checkout()
    who = known_stack(workspace, stack)
    aside: Callable[[], AbstractContextManager[None]] = nullcontext if table is None else table.aside
    rest = ("--allow-rest",) if allow_rest else ()
    client: PlusClient
    with client_of(who, patient=True) as client:
        yield StackSwitchWork(
            workspace=workspace,
            who=who,
            client=client,
            beside=lambda deployment: client_of(who, patient=True, deployment=deployment),
            pulumi=pulumi_with_progress,
            note=note,
            progress=lambda: _updating(aside),
            gates=lambda: _gate(workspace, who),
            copies=lambda: _values(aside, "copy", stack, "--yes", *rest),
            verifies=lambda: _values(aside, "verify", stack),
            smokes=smokes_of(smokes, workspace, stack),
        )


@contextmanager
def _updating(aside: Callable[[], AbstractContextManager[None]]) -> Iterator[Listener]:
    from hybrid.cli.console import notes
    from hybrid.cli.progress import UpdateProgress

    with aside(), UpdateProgress(notes) as progress:
        yield progress


def _gate(workspace: Workspace, who: StackIdentity) -> None:
    from hybrid.cli.locations.check import Checks
    from hybrid.engine.stack import Stack

    stack = Stack.read(workspace, who.stack)
    checked = Checks(workspace, stack, tests=False).run(stack.folders)
    wrong = [finding for one in checked for finding in one.findings if finding.severity == "error"]
    if wrong:
        raise SettingsError(
            f"{len(wrong)} {'thing has' if len(wrong) == 1 else 'things have'} to be mended before the switch.",
            why="\n".join(f"{finding.sentence()}" for finding in wrong[:10]),
            next_step=f"mend them; `hybrid locations check {who.stack}` checks them again.",
        )


def _values(aside: Callable[[], AbstractContextManager[None]], command: str, *arguments: str) -> ValuesDone:
    """`hybrid assets`, as a process of its own: it has its own answer to Ctrl-C, and its memory ends with it."""
    typed = [sys.executable, "-m", "hybrid.cli.main", "assets", command, *arguments, "--json"]
    with aside():
        ended = subprocess.run(typed, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode in (130, -2):
        raise StoppedError(f"`hybrid assets {command}` was stopped.", next_step="it goes on from there.")
    if ended.returncode != 0:
        raise ValuesNotCopiedError(
            f"`hybrid assets {command} {arguments[0]}` ended with {ended.returncode}; its words stand above.",
            next_step="mend that, or give --no-values to switch without them (nothing on Hybrid could read them).",
        )
    return values_done(command, json.loads(ended.stdout))


def values_done(command: str, answer: Mapping[str, Any]) -> ValuesDone:
    """What `hybrid assets copy` or `verify` answered: how many values by what became of them, and their bytes."""
    from hybrid.assets.text import listed
    from hybrid.switch.work import ValuesDone

    counts = {key: number for key, number in answer["values"].items() if number}
    told = ", ".join(f"{number} {key.replace('_', ' ')}" for key, number in counts.items()) or "none is stored"
    size = f" ({answer['bytes']} bytes)" if answer["bytes"] else ""
    facts = {**counts, "bytes": answer["bytes"]}
    words = f"Stored values, {'compared' if command == 'verify' else 'copied'}: {told}{size}."
    if kept := answer.get("kept"):
        facts["only_on_hybrid"] = sum(asset["values"] for asset in kept)
        words += f" Stored last on Hybrid, and kept there: {listed(asset['asset'] for asset in kept)}."
    return ValuesDone(words, facts)
