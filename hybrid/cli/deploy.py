"""``hybrid deploy``: the stacks of stacks/pipeline.yaml, in order, as they were reviewed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli.stack import Json, Yes
from hybrid.errors import UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.engine.engine import Listener
    from hybrid.forge.ci import CiRun
    from hybrid.pipeline.deployment import Deployment, StackResult
    from hybrid.pipeline.place import Place
    from hybrid.pipeline.reviewed import ReviewSource
    from hybrid.plus import PlusClient
    from stacks.identity import StackIdentity

StackNames = Annotated[
    list[str] | None, typer.Option("--stack", metavar="NAME", help="Only this stack; may be repeated.")
]

_DIGEST = re.compile(r"[0-9a-f]{64}")


def register(app: typer.Typer) -> None:
    app.command()(deploy)


def deploy(
    stack: StackNames = None,
    reviewed: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Hold it against this review of `hybrid review --json`.")
    ] = None,
    from_comment: Annotated[
        bool,
        typer.Option("--from-comment", help="Hold it against the reviews in the pull requests. In CI the default."),
    ] = False,
    unreviewed: Annotated[bool, typer.Option("--unreviewed", help="Deploy what nobody has reviewed.")] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="DIGEST", help="Accept exactly the actions that a stopped deploy has shown; repeatable."),
    ] = None,
    unpushed: Annotated[
        bool, typer.Option("--unpushed", help="From a shell: also a commit that the remote's branch does not have.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option(help="Pin a location that does not load to the image that was loaded before.")
    ] = True,
    policies: Annotated[bool, typer.Option(help="Hold the stacks against the policy pack before anything.")] = True,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Deploy what was merged: each stack of stacks/pipeline.yaml is previewed again, held against what was reviewed,
    brought up and tried, one after the other. Stops with 12 when it would do what nobody reviewed, and goes on from
    where an earlier one ended. Only from the configured branch.

    Examples: [bold]hybrid deploy --yes[/]  ·  [bold]hybrid deploy --stack prod --reviewed review.json[/]
    """
    from hybrid.engine.pipeline import read_pipeline
    from hybrid.pipeline.deployment import chosen
    from hybrid.pipeline.place import refuse_deploy

    workspace = Workspace.of_this_checkout()
    pipeline = read_pipeline(workspace)
    stacks = chosen(pipeline.deploy, stack or ())
    if not stacks:
        _answer(pipeline.branch, None, [], as_json=as_json)
        return
    place = place_of(workspace, pipeline.branch, remote=not unpushed)
    refuse_deploy(place, pipeline.branch, unpushed=unpushed)
    accepted = _digests(accept or ())
    source = _source(place, workspace, reviewed, from_comment, unreviewed, accepted)
    _require_agreement(workspace, [each.stack for each in stacks], yes=yes, is_person=source is None)
    work = _Person(workspace, yes=yes, is_review=source is None)
    deployment = _deployment(workspace, place, pipeline.branch, work, rollback=rollback, policies=policies)
    deployment.source, deployment.accepted, deployment.unreviewed = source, accepted, unreviewed
    error = deployment.run(stacks)
    _summarize(place.run, deployment.results)
    _answer(pipeline.branch, place.head, deployment.results, as_json=as_json)
    if error is not None:
        raise error


def place_of(workspace: Workspace, branch: str, *, remote: bool) -> Place:
    """Where this command runs. ``remote``: in a plain shell, ask the remote what it has of ``branch``."""
    from hybrid.forge.ci import CiRun
    from hybrid.pipeline.place import FORGES, Place
    from hybrid.pipeline.repository import Repository

    run, git = CiRun.here(), Repository(workspace.root)
    if git.head is None:
        return Place(run, None, None)
    if run.provider in FORGES:
        return Place(run, git.head, git.branch, git.changed_files(untracked=False))
    there = git.remote_head(branch) if remote and git.branch == branch else None
    return Place(run, git.head, git.branch, git.changed_files(untracked=True), remote_head=there)


def _deployment(
    workspace: Workspace, place: Place, branch: str, person: _Person, *, rollback: bool, policies: bool
) -> Deployment:
    from hybrid.cli.console import note
    from hybrid.cli.stack import check_beforehand
    from hybrid.cli.tools import pulumi_with_progress
    from hybrid.pipeline.deployment import Deployment
    from hybrid.pipeline.stack_work import StackWork

    head = place.head or ""
    work = StackWork(
        workspace=workspace,
        pulumi=pulumi_with_progress(),
        environ=dict(os.environ),
        branch=branch,
        commit=head,
        note=note,
        progress=shown,
        connect=connected,
        check=check_beforehand,
        ask=person.ask,
        with_rollback=rollback,
        with_policies=policies,
    )
    return Deployment(work, head, None, note)


@contextmanager
def shown(is_preview: bool) -> Iterator[Listener]:
    """The progress of an update, to standard error."""
    from hybrid.cli.console import notes
    from hybrid.cli.progress import UpdateProgress

    with UpdateProgress(notes, preview=is_preview) as progress:
        yield progress


def connected(who: StackIdentity, is_patient: bool) -> PlusClient:
    from hybrid.cli.dagster_plus import client_of

    return client_of(who, patient=is_patient)


def _source(
    place: Place,
    workspace: Workspace,
    reviewed: Path | None,
    from_comment: bool,
    unreviewed: bool,
    accepted: frozenset[str],
) -> ReviewSource | None:
    """By what it is judged whether what would be done was reviewed; None: by the person at the terminal."""
    from hybrid.pipeline.repository import Repository
    from hybrid.pipeline.reviewed import CommentReviews, Unreviewed
    from hybrid.review.markdown import MARKER

    if sum((reviewed is not None, from_comment, unreviewed)) > 1:
        raise UsageError("--reviewed, --from-comment and --unreviewed exclude each other.", next_step="give one.")
    if reviewed is not None:
        return _file(reviewed)
    if unreviewed:
        return Unreviewed("--unreviewed was given")
    if from_comment or place.is_forge_s:

        def connect() -> Any:
            from hybrid.forge.forge import forge_of

            return forge_of(place.run, os.environ)

        return CommentReviews(connect, Repository(workspace.root), place.head or "", MARKER)
    if accepted:
        return Unreviewed("nothing but --accept says what was reviewed")
    if sys.stdin.isatty():
        return None
    raise UsageError(
        "Nothing says what was reviewed, and nobody is there to look.",
        next_step="give --reviewed FILE (of `hybrid review --json`) or --from-comment; or, without a review, "
        "--unreviewed.",
    )


def _file(path: Path) -> ReviewSource:
    from hybrid.pipeline.reviewed import FileReview
    from hybrid.review.document import review_in

    review = review_in(path)
    if review.offline:
        raise UsageError(
            f"{path} was made without a look at what stands, so it cannot be held against it.",
            next_step="make one with credentials: `hybrid review --json`.",
        )
    return FileReview(review, path.name)


def _digests(given: Sequence[str]) -> frozenset[str]:
    if wrong := [text for text in given if not _DIGEST.fullmatch(text)]:
        raise UsageError(
            f"--accept {wrong[0][:80]!r} is no digest.",
            next_step="give the 64 digits that the stopped deploy has printed.",
        )
    return frozenset(given)


def _require_agreement(workspace: Workspace, stacks: Sequence[str], *, yes: bool, is_person: bool) -> None:
    from hybrid.engine.stack import identity

    if yes or is_person or sys.stdin.isatty():
        return
    organizations = [name for name in stacks if not identity(workspace, name).settings.embedded]
    if organizations:
        raise UsageError(
            f"`hybrid deploy` would change an organization's stack ({', '.join(organizations)}) and nobody is there "
            "to ask.",
            next_step="run it with --yes; what was not reviewed stops it all the same.",
        )


class _Person:
    """Who is asked before a stack is changed. ``is_review``: nobody else has looked, so the person does."""

    def __init__(self, workspace: Workspace, *, yes: bool, is_review: bool) -> None:
        self._workspace = workspace
        self._yes = yes
        self._is_review = is_review

    def ask(self, stack: str, sentences: Sequence[str]) -> None:
        from hybrid.cli.console import note
        from hybrid.engine.stack import identity

        if self._is_review:
            for sentence in sentences:
                note(f"  {sentence}")
        elif self._yes or identity(self._workspace, stack).settings.embedded:
            return
        typer.confirm(f"do these {len(sentences)} things to the stack '{stack}'?", abort=True, err=True)


def _summarize(run: CiRun, results: Sequence[StackResult]) -> None:
    """On the page of the CI's run, where it has one."""
    from hybrid.cli.console import note
    from hybrid.pipeline.deploy_summary import deploy_summary

    if run.summary_file is None:
        return
    try:
        with run.summary_file.open("a", encoding="utf-8", errors="replace") as file:
            file.write(deploy_summary(results))
    except OSError as error:
        note(f"The summary of the run could not be written: {error.strerror}")


def _answer(branch: str, commit: str | None, results: Sequence[StackResult], *, as_json: bool) -> None:
    from hybrid.cli.console import answer_json, out

    if as_json:
        answer_json({"branch": branch, "commit": commit, "stacks": [result.document() for result in results]})
        return
    for result in results:
        changes = ", ".join(f"{count} {name}" for name, count in result.changes.items())
        smoke = f"  smoke run {result.smoke.status}" if result.smoke else ""
        word = result.result.replace("_", " ")
        out.print(f"{result.stack}  {word}{f'  ({changes})' if changes else ''}{smoke}", markup=False)
    if not results:
        out.print("stacks/pipeline.yaml deploys no stack: nothing to do.", markup=False)
