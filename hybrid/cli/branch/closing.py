"""``hybrid branch close``: the end of a branch deployment, and of what was pushed for it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli.branch.options import (
    BranchName,
    PullRequestNumber,
    Repository,
    StackOrDefault,
    Surroundings,
    pull_request,
)
from hybrid.cli.stack import Json
from hybrid.errors import HybridError, UsageError

if TYPE_CHECKING:
    from hybrid.cli.branch.swept import Swept
    from hybrid.forge.forge import PullRequest
    from hybrid.pipeline.closing import Ending, Stale
    from hybrid.plus import BranchDeployment, PlusClient


def register(app: typer.Typer) -> None:
    app.command(name="close")(close_branch)


def close_branch(
    stack: StackOrDefault = None,
    pull_request_number: PullRequestNumber = None,
    branch: BranchName = None,
    repository: Repository = None,
    merged: Annotated[
        bool, typer.Option("--merged", help="It was merged. Default: as the forge says, if there is a token.")
    ] = False,
    keep_images: Annotated[bool, typer.Option("--keep-images", help="Leave its images in the registry.")] = False,
    stale: Annotated[
        bool,
        typer.Option("--stale", help="All of this repository whose pull request is closed or whose branch is gone."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --stale: do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Tell Dagster+ that the pull request is closed, delete its branch deployment, and remove the images in ECR that
    were pushed for it and that nothing else uses. Those of a merged one stay: the deploy of the merge takes them. One
    that is gone already is no error. Only a branch deployment is ever deleted; its type is asked right before.

    Examples: [bold]hybrid branch close[/]  ·  [bold]hybrid branch close --branch feature/x[/]  ·
    [bold]hybrid branch close --stale --yes[/]
    """
    from hybrid.pipeline.change import Given

    around = Surroundings.of(stack, Given(branch, pull_request_number, None, repository))
    if stale and (branch or pull_request_number or merged):
        raise UsageError(
            "--stale finds out by itself which are meant.",
            next_step="leave --branch, --pull-request and --merged out, or --stale.",
        )
    outcome = _Outcome()
    try:
        with around.full() as plus:
            chosen = _stale(around, plus, yes, outcome, as_json=as_json) if stale else _meant(around, plus, merged)
            for each in chosen:
                _close(around, plus, each, outcome, keep_images=keep_images)
    finally:
        if as_json:
            _answer(around, outcome)
    if outcome.failed:
        name, error = next(iter(outcome.failed.items()))
        raise HybridError(
            f"{len(outcome.failed)} branch deployments could not be closed, such as that of {name}.",
            why=error.what,
            next_step=error.next_step,
        )


@dataclass(frozen=True)
class _Ended:
    """One that was to be closed. ``deleted``: whether it was still there."""

    stale: Stale
    deleted: bool
    swept: Swept | None
    """None: images were not looked at."""


@dataclass
class _Outcome:
    shown: list[Stale] = field(default_factory=list)
    """With --stale: what was found."""
    ended: list[_Ended] = field(default_factory=list)
    failed: dict[str, HybridError] = field(default_factory=dict)
    """By branch; of several one that fails does not hold up the others."""


def _meant(around: Surroundings, plus: PlusClient, merged: bool) -> list[Stale]:
    """The one that options or CI name; none, with a word, when it is gone, or is another pull request's by now."""
    from hybrid.cli.console import note
    from hybrid.pipeline.change import branch_of, refuse_forks, refuse_untold, repository_of
    from hybrid.pipeline.closing import Stale, of_repository

    # the branch of a fork may be called like one of this repository, whose branch deployment is not the fork's
    refuse_forks(around.run)
    given = around.given
    if not given.names_a_change:
        refuse_untold(around.run)
    repository = repository_of(around.run, given, around.checkout)
    number = given.pull_request
    if given.branch is None and number is not None:
        what = f"pull request {number}"
        found = [each for each in of_repository(plus, repository) if each.pull_request_number == str(number)]
    else:
        change = branch_of(around.run, given, around.checkout)
        what, number = change.branch, change.pull_request
        found = [each for each in of_repository(plus, repository) if each.branch == change.branch]
    others = {each.pull_request_number for each in found} - {None, str(number)}
    if not found:
        note(f"There is no branch deployment of {what} in {repository}: nothing to close.")
        return []
    if number is not None and others:
        note(f"The branch deployment of {what} is that of pull request {', '.join(map(str, others))} now; it stays.")
        return []
    ending: Ending = "MERGED" if merged else _ending(pull_request(around.forge(repository), number))
    return [Stale(each, ending.lower(), ending) for each in found]


def _ending(asked: PullRequest | None) -> Ending:
    return "MERGED" if asked is not None and asked.state == "merged" else "CLOSED"


def _stale(around: Surroundings, plus: PlusClient, yes: bool, outcome: _Outcome, *, as_json: bool) -> list[Stale]:
    from hybrid.cli.console import note, out
    from hybrid.pipeline.change import repository_of
    from hybrid.pipeline.closing import of_repository, stale_ones

    repository = repository_of(around.run, around.given, around.checkout)
    forge = around.forge(repository)
    if forge is None:
        note("There is no token for the forge, so pull requests are not asked about; branches of `origin` are.")
    # another repository may be named by --repo; `origin` says nothing of that one
    is_own = repository == around.checkout.repository or repository == around.run.repository
    branches = around.checkout.remote_branches() if is_own else None
    found = of_repository(plus, repository)
    outcome.shown = stale_ones(found, lambda number: pull_request(forge, number), branches)
    note(f"{len(found)} branch deployments of {repository}, of which {len(outcome.shown)} are stale.")
    if not as_json:
        for each in outcome.shown:
            out.print(f"{each.found.branch}  {each.why}", markup=False)
    return outcome.shown if _agreed(outcome.shown, yes, as_json=as_json) else []


def _agreed(found: Sequence[Stale], yes: bool, *, as_json: bool) -> bool:
    from hybrid.cli.console import note

    if yes or not found:
        return True
    if as_json or not sys.stdin.isatty():
        note("Nothing is closed without agreement: add --yes.")
        return False
    return typer.confirm(f"Delete these {len(found)} branch deployments?", default=False)


def _close(around: Surroundings, plus: PlusClient, stale: Stale, outcome: _Outcome, *, keep_images: bool) -> None:
    from hybrid.cli.branch.opening import sent_folder
    from hybrid.cli.branch.swept import sweep_images
    from hybrid.cli.console import note
    from hybrid.pipeline.closing import close
    from hybrid.pipeline.sent_code import SentCode

    name, branch = stale.found.deployment.name, stale.found.branch or ""
    try:
        images = [] if keep_images or stale.ending == "MERGED" else _images(around, stale.found)
        deleted = close(plus, stale.found, stale.ending)
    except HybridError as error:
        if not outcome.shown:
            raise
        outcome.failed[branch] = error
        return
    SentCode(sent_folder(around), name).forget()
    note(f"The branch deployment of {branch} is {'deleted' if deleted else 'gone already'}.")
    swept = sweep_images(around, images) if images else None
    if swept is not None:
        note(
            f"{len(swept.removed)} images removed, {len(swept.kept)} are in use and stay." if not swept.problem else ""
        )
        if swept.problem:
            note(f"Images: {swept.problem}")
    outcome.ended.append(_Ended(stale, deleted, swept))


def _images(around: Surroundings, found: BranchDeployment) -> list[str]:
    """What its locations run from, asked while it is there."""
    from hybrid.plus import PlusNotFound

    try:
        with around.of_branch(found.deployment.name) as client:
            documents = client.location_documents()
    except PlusNotFound:
        return []
    images = (document.get("image") for document in documents.values())
    return [image for image in images if isinstance(image, str) and "@sha256:" in image]


def _answer(around: Surroundings, outcome: _Outcome) -> None:
    from hybrid.cli.console import answer_json

    ended: dict[str, Any] = {each.stale.found.deployment.name: each for each in outcome.ended}
    listed = {each.found.deployment.name: each for each in [*outcome.shown, *(each.stale for each in outcome.ended)]}
    rows = []
    for name, stale in listed.items():
        one = ended.get(name)
        failed = outcome.failed.get(stale.found.branch or "")
        rows.append(
            {
                "deployment": name,
                "branch": stale.found.branch,
                "pull_request": stale.found.pull_request_number,
                "ending": stale.ending,
                "why": stale.why,
                "closed": one is not None,
                "deleted": one is not None and one.deleted,
                "images": one.swept.document() if one is not None and one.swept is not None else None,
                "error": failed.what if failed else None,
            }
        )
    answer_json({"stack": around.stack.who.stack, "branch_deployments": rows})
