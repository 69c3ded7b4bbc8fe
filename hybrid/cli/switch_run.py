"""``hybrid switch run``, ``back``, ``verify`` and ``status``: the switch itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli.stack import Json, Yes
from hybrid.cli.switch_ground import is_begun, steps, strategy_of, switching_of, work_of
from hybrid.errors import HybridError, NotReadyError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.switch.choices import PlanGiven
    from hybrid.switch.journal import Journal
    from hybrid.switch.plan import Strategy
    from hybrid.switch.verification import Check


class RunsThen(StrEnum):
    """What happens to runs in progress before the hand-over."""

    WAIT = "wait"
    CANCEL = "cancel"
    LEAVE = "leave"


class Stays(StrEnum):
    """When the Serverless agent does not go."""

    STOP = "stop"
    GO_ON = "go-on"


Stack = Annotated[str, typer.Argument(help="The stack whose deployment it is.", metavar="STACK")]
Stacks = Annotated[
    list[str], typer.Argument(help="The stacks whose deployments are switched, in order.", metavar="STACK...")
]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Take the place of a switch from elsewhere that is known to be dead.")
]
LoadLimit = Annotated[
    float, typer.Option("--load-limit", min=1, help="Seconds that agent and locations may take after the hand-over.")
]
Runs = Annotated[list[str] | None, typer.Option("--run", metavar="LOCATION:JOB", help="Also run this; repeatable.")]


def register(app: typer.Typer) -> None:
    app.command()(run)
    app.command()(back)
    app.command()(verify)
    app.command()(status)


def run(
    stacks: Stacks,
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="Of `hybrid switch plan --save`; refused when stale.")
    ] = None,
    by_queue: Annotated[
        str | None,
        typer.Option(
            "--by-queue",
            metavar="QUEUE",
            help="Move locations one at a time, to an agent queue of this name (Dagster+ Pro).",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from where it was left.")] = False,
    until: Annotated[str | None, typer.Option("--until", metavar="STEP", help="End after this step.")] = None,
    runs: Annotated[RunsThen, typer.Option("--runs", help="What happens to runs in progress.")] = RunsThen.WAIT,
    drain_limit: Annotated[float, typer.Option("--drain-limit", min=0, help="Seconds to wait for them.")] = 1800,
    values: Annotated[bool, typer.Option("--values/--no-values", help="Copy stored values, and compare them.")] = True,
    allow_rest: Annotated[
        bool, typer.Option("--allow-rest", help="Go on although values are left that a run has to load.")
    ] = False,
    smoke: Annotated[
        list[str] | None, typer.Option(metavar="LOCATION:JOB", help="Run it at the end; else as stacks/pipeline.yaml.")
    ] = None,
    return_after: Annotated[
        float | None,
        typer.Option(metavar="MINUTES", min=0, help="Go back when not all is loaded so long after the hand-over."),
    ] = None,
    load_limit: LoadLimit = 900,
    departure_limit: Annotated[
        float, typer.Option("--departure-limit", min=0, help="Seconds to wait for the Serverless agent to go.")
    ] = 900,
    if_serverless_stays: Annotated[Stays, typer.Option(help="What is done when it has not gone then.")] = Stays.GO_ON,
    leave_unserved: Annotated[
        bool, typer.Option("--leave-unserved", help="Also when the deployment has locations that the stack has not.")
    ] = False,
    take_over: TakeOver = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Take the stacks' deployments from Serverless to Hybrid, one after the other; ends at the first that fails.

    Each step is in a journal, .hybrid/stacks/STACK/switch.jsonl: killed anywhere, --resume goes on, and `back` takes it
    back. Asks before it begins and before the hand-over.

    Examples: [bold]hybrid switch run prod --plan plan.json[/]  ·  [bold]hybrid switch run prod --until gate[/]  ·
    [bold]hybrid switch run staging prod --yes --return-after 15[/]
    """
    from hybrid.cli.console import answer_json
    from hybrid.switch.choices import Choices

    if plan is not None and len(stacks) > 1:
        raise UsageError("A plan is for one stack.", next_step="name one stack, or leave --plan out.")
    given, strategy = _given(plan, stacks[0], by_queue)
    for stack in stacks:
        _known_step(until, strategy_of(stack, strategy))
    _agree(stacks, yes, resume=resume)
    choices = Choices(
        plan=given,
        strategy=strategy,
        queue=by_queue or Choices.queue,
        runs=runs.value,
        drain_seconds=drain_limit,
        load_seconds=load_limit,
        departure_seconds=departure_limit,
        serverless_stays=if_serverless_stays.value,
        return_after=None if return_after is None else return_after * 60,
        values=values,
        leave_unserved=leave_unserved,
        take_over=take_over,
    )
    done = []
    for stack in stacks:
        with switching_of(stack, choices, yes=yes, smokes=smoke or (), allow_rest=allow_rest) as switching:
            goes_on = resume and (len(stacks) == 1 or is_begun(stack))  # of several, those after the one that failed
            journal = _guarded(stack, partial(switching.forward, resume=goes_on, until=until))
        done.append(_said(stack, journal))
        if not as_json:
            _say(stack, journal)
    if as_json:
        answer_json({"stacks": done})


def back(
    stack: Stack, load_limit: LoadLimit = 900, take_over: TakeOver = False, yes: Yes = False, as_json: Json = False
) -> None:
    """Take a deployment back to Serverless from wherever its switch stands, by the same journal.

    Locations get the documents that Serverless ran, schedules and sensors are as before. Values stay where they are;
    those that were stored on Hybrid meanwhile are named. The stack's agent stays up.

    Examples: [bold]hybrid switch back prod[/]  ·  [bold]hybrid switch back prod --yes[/]
    """
    from hybrid.cli.console import answer_json, out
    from hybrid.switch.choices import Choices

    _agree([stack], yes, resume=True, command="back")
    choices = Choices(load_seconds=load_limit, take_over=take_over)
    with switching_of(stack, choices, yes=yes) as switching:
        journal = _guarded(stack, switching.back, command="back")
    if as_json:
        answer_json(_said(stack, journal))
    else:
        out.print(f"{stack} is on Serverless again.", markup=False)


def verify(stack: Stack, run: Runs = None, as_json: Json = False) -> None:
    """Look whether a switch holds: agents, each location's image, schedules and sensors, variables. Changes nothing;
    with --run it launches jobs. Ends with 7 when something is not as it should be.

    Examples: [bold]hybrid switch verify prod[/]  ·  [bold]hybrid switch verify prod --run hello:greet --json[/]
    """
    from hybrid.cli.console import answer_json
    from hybrid.switch.journal import read_journal
    from hybrid.switch.stack_work import journal_of
    from hybrid.switch.verification import verify as looked_at

    with work_of(stack, smokes=run or ()) as work:
        found = read_journal(journal_of(work.who))
        checks = looked_at(work, () if found is None else found[1], smoke=bool(run))
    wrong = [check for check in checks if check.is_so is False]
    if as_json:
        answer_json({"stack": stack, "holds": not wrong, "checks": [check.document() for check in checks]})
    else:
        _print_checks(checks)
    if wrong:
        raise typer.Exit(NotReadyError.exit_code)


def status(stack: Stack, as_json: Json = False) -> None:
    """Where the switch of a stack is, by its journal. Asks nobody.

    Example: [bold]hybrid switch status prod[/]
    """
    from hybrid.cli.console import answer_json, out
    from hybrid.engine.stack import identity
    from hybrid.switch.journal import read_journal
    from hybrid.switch.run import stage_of, standing_of
    from hybrid.switch.stack_work import journal_of

    found = read_journal(journal_of(identity(Workspace.of_this_checkout(), stack)))
    if found is None:
        if as_json:
            answer_json({"stack": stack, "stage": "new", "steps": []})
        else:
            out.print(f"No switch of {stack} was begun.", markup=False)
        return
    journey, lines = found
    stage, standing = stage_of(lines), standing_of(lines)
    if as_json:
        plan = {"organization": journey.organization, "deployment": journey.deployment, "plan": journey.plan}
        answer_json({"stack": stack, **plan, "stage": stage, "steps": standing, "downtime": _downtime(lines)})
        return
    for step in standing:
        reason = f"  {step['reason'].splitlines()[0]}" if step["reason"] else ""
        out.print(f"{step['event']:<12} {step['step']}  {step['seconds']:g} s{reason}", markup=False)
    out.print(f"{journey.deployment} of {journey.organization}: {_NEXT[stage].format(stack=stack)}", markup=False)


_NEXT = {
    "new": "nothing was begun.",
    "begun": "on its way. `hybrid switch run {stack} --resume` goes on, `hybrid switch back {stack}` takes it back.",
    "done": "on Hybrid. `hybrid switch verify {stack}` looks; `hybrid switch back {stack}` takes it back.",
    "going_back": "on its way back. `hybrid switch back {stack}` brings it to its end.",
    "back": "taken back, on Serverless.",
}


def _known_step(until: str | None, strategy: Strategy) -> None:
    names = [name for name, _ in steps(strategy)]
    if until is not None and until not in names:
        raise UsageError(f"There is no step '{until}'.", why=f"There are: {', '.join(names)}.", next_step="name one.")


def _agree(stacks: Sequence[str], yes: bool, *, resume: bool, command: str = "run") -> None:
    if yes:
        return
    names = " ".join(stacks)
    if not sys.stdin.isatty():
        again = " --resume" if resume and command == "run" else ""
        raise UsageError(
            f"`hybrid switch {command} {names}` would change a deployment and nobody is there to ask.",
            next_step=f"look at `hybrid switch plan {stacks[0]}`, then run it with --yes{again}.",
        )
    typer.confirm(f"switch {command} {names}?", abort=True, err=True)


def _given(file: Path | None, stack: str, by_queue: str | None) -> tuple[PlanGiven | None, Strategy]:
    """The plan, and how locations go over: as it says, or as is told."""
    from hybrid.cli.console import note
    from hybrid.switch.choices import PlanGiven
    from hybrid.switch.plan import Plan, Strategy

    if file is None:
        return None, Strategy.BY_QUEUE if by_queue else Strategy.AT_ONCE
    plan = Plan.read(file)
    if plan.stack != stack:
        raise UsageError(f"The plan is for the stack '{plan.stack}', not '{stack}'.", next_step="name that stack.")
    if by_queue and plan.strategy is not Strategy.BY_QUEUE:
        raise UsageError(
            "The plan switches all locations at once, and --by-queue moves them one at a time.",
            next_step="leave --by-queue out, or make another plan: `hybrid switch plan STACK --strategy by_queue`.",
        )
    for each in plan.missing:
        note(f"The plan still lacked: {each.name}: {each.words}")
    return PlanGiven(plan.organization, plan.deployment, plan.fingerprint, plan.digest), plan.strategy


def _guarded(stack: str, walk: Callable[[], Journal], command: str = "run") -> Journal:
    """What is said beside an error: how things stand, and how it goes on."""
    from hybrid.cli.console import note

    try:
        return walk()
    except (HybridError, KeyboardInterrupt, typer.Abort):
        note(_how_it_goes_on(stack))
        raise


def _how_it_goes_on(stack: str) -> str:
    from hybrid.engine.stack import identity
    from hybrid.switch.journal import read_journal
    from hybrid.switch.run import stage_of, standing_of, strategy_in
    from hybrid.switch.stack_work import journal_of
    from hybrid.switch.steps import kinds_of

    found = read_journal(journal_of(identity(Workspace.of_this_checkout(), stack)))
    stage = "new" if found is None else stage_of(found[1])
    if found is None or stage == "new":
        return "Nothing was begun."
    last = standing_of(found[1])[-1]
    kinds = kinds_of(strategy_in(found[1]))
    words = next((kind.if_it_fails for kind in kinds if kind.name == last["step"]), "") if stage == "begun" else ""
    return f"{stack}: {words} It is {_NEXT[stage].format(stack=stack)}".replace("  ", " ")


def _said(stack: str, journal: Journal) -> dict[str, Any]:
    from hybrid.switch.run import stage_of, standing_of

    return {
        "stack": stack,
        "organization": journal.journey.organization,
        "deployment": journal.journey.deployment,
        "stage": stage_of(journal.lines),
        "steps": standing_of(journal.lines),
        "downtime": _downtime(journal.lines),
    }


def _downtime(lines: Sequence[Any]) -> dict[str, Any] | None:
    from hybrid.switch.run import downtime_in

    found = downtime_in(lines)
    return None if found is None else found.document()


def _say(stack: str, journal: Journal) -> None:
    from hybrid.cli.console import out
    from hybrid.switch.run import downtime_in, stage_of

    stage, found = stage_of(journal.lines), downtime_in(journal.lines)
    out.print(f"{stack}: {_NEXT[stage].format(stack=stack)}", markup=False)
    if found is not None:
        out.print(f"{found.words()[:1].upper()}{found.words()[1:]}.", markup=False)


def _print_checks(checks: Sequence[Check]) -> None:
    from rich.text import Text

    from hybrid.cli.console import out

    marks = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}
    for check in checks:
        mark, style = marks[check.is_so]
        out.print(Text(f"{mark} ", style=style) + Text(check.name, style="bold") + Text(f"  {check.words}"))
