"""``hybrid review``: what a change would do, before anyone merges it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli.stack import Json
from hybrid.errors import EngineError, SettingsError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.forge.ci import CiRun
    from hybrid.forge.forge import Written
    from hybrid.review.document import Review, StackReview

app = typer.Typer(invoke_without_command=True)

PullRequestNumber = Annotated[
    int | None, typer.Option("--pull-request", metavar="N", min=1, help="The pull request. Default: what CI says.")
]

_FILES = ("review.json", "review.md")


Base = Annotated[
    str | None,
    typer.Option(
        metavar="REF",
        help="Review what came since the branch left REF. Default: what CI says, else the pipeline's branch.",
    ),
]
Stacks = Annotated[
    list[str] | None,
    typer.Option("--stack", metavar="NAME", help="Review this stack, touched or not; may be repeated."),
]
Every = Annotated[bool, typer.Option("--all", help="Review every stack, touched or not.")]
Output = Annotated[Path | None, typer.Option(metavar="DIR", help="Write review.json and review.md into DIR.")]
FailOn = Annotated[
    str,
    typer.Option(
        "--fail-on", metavar="WHAT", help="End with 11 when there is one: delete, replace, policy; with commas."
    ),
]
Policies = Annotated[bool, typer.Option(help="Hold the stacks against the policy pack.")]
Secrets = Annotated[
    bool,
    typer.Option(
        "--secrets", help="Decrypt the values of a team's stacks and look at what stands. Default: without either."
    ),
]
Offline = Annotated[
    bool,
    typer.Option("--offline", help="Ask nobody and use no credentials: the program alone, against the base's."),
]
State = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="With --offline: STACK.json files of `hybrid review export`, for what stands."),
]


@app.callback()
def review(
    context: typer.Context,
    base: Base = None,
    stack: Stacks = None,
    every: Every = False,
    output: Output = None,
    fail_on: FailOn = "",
    policies: Policies = True,
    secrets: Secrets = False,
    offline: Offline = False,
    state: State = None,
    as_json: Json = False,
) -> None:
    """Show what the working tree would do to every stack that it touches, against the commit where the branch left:
    resources, images, build files, Dagster+, rights, restarts, rules, costs. It reads only, on a copy of the state.

    Examples: [bold]hybrid review[/]  ·  [bold]hybrid review --base origin/main --fail-on delete,policy[/]  ·
    [bold]hybrid review --offline --output review[/]
    """
    if context.invoked_subcommand is not None:
        return
    from hybrid.cli.console import answer_json, note
    from hybrid.cli.tools import pulumi_with_progress
    from hybrid.forge.ci import CiRun
    from hybrid.review.reviewer import Request
    from hybrid.review.reviewer import review as made
    from hybrid.review.verdict import grounds

    on = grounds(fail_on)
    workspace, run = Workspace.of_this_checkout(), CiRun.here()
    if state is not None and not offline:
        raise UsageError(
            "--state is for --offline.", why="Otherwise the state itself is read.", next_step="leave one out."
        )
    if every and stack:
        raise UsageError("--all and --stack exclude each other.", next_step="give one of them.")
    request = Request(
        workspace=workspace,
        base=_base(workspace, run) if base is None else base,
        stacks=tuple(stack or ()),
        every=every,
        head=run.sha if run.event == "pull_request" else None,
        policies=policies,
        secrets=secrets,
        offline=offline,
        state=state.resolve() if state is not None else None,
    )
    found = made(request, pulumi_with_progress, note)
    if output is not None:
        _write(found, output, run)
    if as_json:
        answer_json(found.document())
    else:
        _print(found)
    _end(found, on)


@app.command()
def post(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A review.json that `hybrid review --output` wrote.")],
    pull_request: PullRequestNumber = None,
    as_json: Json = False,
) -> None:
    """Put a review under its pull request: one comment, made once and updated in place. The text is made here from
    FILE, which may be a stranger's. A review of a commit that is not the newest any more is not posted.

    Example: [bold]hybrid review post review/review.json --pull-request 12[/]
    """
    from hybrid.cli.console import answer_json, note
    from hybrid.forge.ci import CiRun
    from hybrid.forge.forge import forge_of
    from hybrid.pipeline.review_comment import put_review
    from hybrid.review.document import review_in

    run = CiRun.here()
    number, found = _number(pull_request, run), review_in(file)
    written = put_review(forge_of(run, os.environ), number, found, run.run_url)
    if written is None:
        note(f"Not posted: the review is of {found.head.sha[:10]}, and the pull request has a newer commit by now.")
        if as_json:
            answer_json({"url": None, "created": False, "posted": False})
        return
    _say_written(written, as_json=as_json)


@app.command()
def link(
    deployment: Annotated[
        str | None, typer.Option(metavar="NAME", help="The branch deployment, as `hybrid branch open` answers it.")
    ] = None,
    loaded: Annotated[
        bool | None, typer.Option("--loaded/--not-loaded", help="Whether all its code locations are loaded.")
    ] = None,
    closed: Annotated[bool, typer.Option("--closed", help="It is gone.")] = False,
    pull_request: PullRequestNumber = None,
    as_json: Json = False,
) -> None:
    """Say in the review's comment where the branch deployment of the pull request is, or that it is closed. The page is
    that of the stack that stacks/pipeline.yaml names for branch deployments.

    Examples: [bold]hybrid review link --deployment 4f2a… --loaded[/]  ·  [bold]hybrid review link --closed[/]
    """
    from hybrid.engine.pipeline import read_pipeline
    from hybrid.engine.stack import identity
    from hybrid.forge.ci import CiRun
    from hybrid.forge.forge import forge_of
    from hybrid.pipeline.review_comment import put_link
    from hybrid.review import branch_link

    workspace, run = Workspace.of_this_checkout(), CiRun.here()
    if closed == (deployment is not None):
        raise UsageError("Give either --deployment or --closed.", next_step="`hybrid review link --help` has examples.")
    where = read_pipeline(workspace).branch_deployments
    if where is None:
        raise SettingsError(
            "stacks/pipeline.yaml names no stack for branch deployments.",
            next_step="name one under `branchDeployments:` (docs/branch-deployments.md).",
        )
    number = _number(pull_request, run)
    page = identity(workspace, where.stack).endpoint.url
    section = branch_link.closed() if deployment is None else branch_link.link(page, deployment, loaded=loaded)
    _say_written(put_link(forge_of(run, os.environ), number, section), as_json=as_json)


def _number(given: int | None, run: CiRun) -> int:
    number = given or run.pull_request
    if number is None:
        raise UsageError("It is not known which pull request this is about.", next_step="give --pull-request N.")
    return number


def _say_written(written: Written, *, as_json: bool) -> None:
    from hybrid.cli.console import answer_json, note

    if as_json:
        answer_json({"url": written.url, "created": written.created, "posted": True})
    else:
        note(f"{'Posted' if written.created else 'Updated'}: {written.url}")


@app.command()
def export(
    stacks: Annotated[list[str], typer.Argument(metavar="STACK...", help="Stacks of this checkout.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Write STACK.json of each into DIR.")],
    as_json: Json = False,
) -> None:
    """Write down which resources stacks have, for `hybrid review --offline --state DIR`: their types and names, and
    nothing else of their state. It needs credentials that may read the state; no key is needed.

    Example: [bold]hybrid review export prod staging --to .hybrid/exported[/]
    """
    from hybrid.cli.console import answer_json, note
    from hybrid.cli.tools import pulumi_with_progress
    from hybrid.delivery.written_files import write_files
    from hybrid.engine.copied import exported_state
    from hybrid.engine.exported_state import ExportedState

    workspace = Workspace.of_this_checkout()
    _require_files(workspace, stacks)
    pulumi = pulumi_with_progress()
    found = [ExportedState.of(name, exported_state(workspace, name, pulumi, os.environ)) for name in stacks]
    try:
        to.mkdir(parents=True, exist_ok=True)
        write_files(to.resolve(), {f"{each.stack}.json": each.text() for each in found})
    except OSError as error:
        raise SettingsError(f"{to} cannot be written.", why=error.strerror, next_step="name another folder.") from None
    if as_json:
        answer_json({"stacks": [{"stack": each.stack, "resources": len(each.resources)} for each in found]})
    for each in found:
        note(f"{to / each.stack}.json: {len(each.resources)} resources")


def _require_files(workspace: Workspace, stacks: list[str]) -> None:
    for name in stacks:
        if not workspace.stack_file(name).is_file():
            raise UsageError(f"There is no stack '{name}'.", next_step="name one that has a file in stacks/.")


def _base(workspace: Workspace, run: CiRun) -> str:
    """Where the change is meant to go: the base of the pull request, else the branch of the pipeline."""
    from hybrid.engine.pipeline import read_pipeline

    branch = run.base_branch or read_pipeline(workspace).branch
    return f"origin/{branch}" if _is_known(workspace, f"refs/remotes/origin/{branch}") else branch


def _is_known(workspace: Workspace, reference: str) -> bool:
    import subprocess

    command = ["git", "rev-parse", "--verify", "--quiet", reference]
    try:
        return subprocess.run(command, cwd=workspace.root, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False  # what git cannot tell is said by the review itself


def _write(found: Review, folder: Path, run: CiRun) -> None:
    import json

    from hybrid.delivery.written_files import write_files
    from hybrid.redaction import redact
    from hybrid.review.markdown import markdown

    document = redact(json.dumps(found.document(), indent=2, ensure_ascii=False)) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_files(folder.resolve(), {_FILES[0]: document, _FILES[1]: redact(markdown(found, run_url=run.run_url))})
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be written.", why=error.strerror, next_step="name another folder by --output."
        ) from None


def _end(found: Review, on: tuple[str, ...]) -> None:
    from hybrid.review.verdict import ReviewFailed, reasons

    failed = [stack.stack for stack in found.stacks if stack.standing == "failed"]
    if failed:
        raise EngineError(
            f"{', '.join(failed)} could not be previewed.",
            why="\n".join(_first_reason(stack) for stack in found.stacks if stack.standing == "failed"),
            next_step="mend that, and review again; the other parts are told all the same.",
        )
    if why := reasons(found, on):  # type: ignore[arg-type]
        raise ReviewFailed("The review has what --fail-on names:", why="\n".join(why), next_step="see above.")


def _first_reason(stack: StackReview) -> str:
    return next((f"{stack.stack}: {each.why}" for each in stack.missing if each.part == "preview"), stack.stack)


def _print(found: Review) -> None:
    from rich.text import Text

    from hybrid.cli.console import note, out

    for stack in found.stacks:
        out.print(Text(f"{stack.stack}  ", style="bold") + Text(_summary(stack)))
        for line, style in _lines(stack):
            out.print(Text(f"  {line}", style=style))
    for missing in found.missing:
        out.print(Text(_redacted(missing.why), style="yellow"))
    if not found.stacks:
        note("No stack is touched.")
    elif found.untouched:
        note(f"Not touched: {', '.join(found.untouched)}.")


def _summary(stack: StackReview) -> str:
    if stack.standing in ("failed", "removed"):
        return {"failed": "could not be previewed", "removed": "its file is deleted; it goes on standing"}[
            stack.standing
        ]
    counts = ", ".join(f"{count} to {name}" for name, count in stack.operations.items())
    cost = ""
    if stack.costs is not None and stack.costs.after is not None:
        before = f"{stack.costs.before:.2f} → " if stack.costs.before not in (None, stack.costs.after) else ""
        cost = f"  $ {before}{stack.costs.after:.2f} a month"
    return f"{counts or 'nothing would change'}{' (new)' if stack.standing == 'new' else ''}{cost}"


def _lines(stack: StackReview) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for finding in stack.policies:
        style = "red" if finding.level == "mandatory" else "yellow"
        lines.append((f"{finding.level}  {finding.policy}  {finding.resource}: {finding.message}", style))
    for restart in stack.restarts:
        lines.append((f"! restarts the agent: {restart.resource} ({', '.join(restart.because)})", "yellow"))
    marks = {"create": "+", "delete": "-"}
    for step in stack.steps:
        because = f"  ({', '.join(step.because[:6])})" if step.because else ""
        style = "red" if step.operation in ("delete", "replace") else ""
        lines.append((f"{marks.get(step.operation, '~')} {step.operation} {step.resource}{because}", style))
    for change in stack.iam:
        for sign, statements in (("+", change.added), ("-", change.removed)):
            lines += [(f"{sign} {change.resource}: {s.effect} {s.action} on {s.resource}", "") for s in statements]
    for each in stack.locations:
        if each.standing not in ("same", "untouched"):
            paths = ", ".join(one.path for one in each.changes) if each.standing == "changed" else ""
            lines.append((f"Dagster+ {each.name}: {each.standing}{f' ({paths})' if paths else ''}", ""))
    lines += [(f"build file {each.path} differs", "") for each in stack.build_files]
    for missing in stack.missing:
        lines.append((f"not looked at, {missing.part}: {missing.why}", "yellow"))
    return [(_redacted(line), style) for line, style in lines]


def _redacted(line: str) -> str:
    from hybrid.redaction import redact

    return redact(line)
