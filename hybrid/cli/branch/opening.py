"""``hybrid branch open``: the branch deployment of a pull request, brought to what its commit says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli.branch.options import (
    BranchName,
    PullRequestNumber,
    Repository,
    StackOrDefault,
    Surroundings,
    Url,
    pull_request,
)
from hybrid.cli.stack import Json
from hybrid.errors import NotReadyError, SettingsError, UsageError

if TYPE_CHECKING:
    from hybrid.engine.stack import Stack
    from hybrid.forge.forge import Forge
    from hybrid.pipeline.branch_deployment import Wanted, Written
    from hybrid.pipeline.change import Change
    from hybrid.pipeline.claim import Claim
    from hybrid.pipeline.loading import Limits, Loading
    from hybrid.plus import Commit, Deployment, PlusClient


def register(app: typer.Typer) -> None:
    app.command(name="open")(open_branch)


def open_branch(
    stack: StackOrDefault = None,
    pull_request_number: PullRequestNumber = None,
    url: Url = None,
    branch: BranchName = None,
    repository: Repository = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until all is loaded.")] = True,
    as_json: Json = False,
) -> None:
    """Make the branch deployment of a pull request, or bring it up to date: all the stack's code locations, of which
    only those are built that the change touches, and only those are sent that differ. Ends when all are loaded.

    In GitHub Actions and GitLab CI it knows what it is about; elsewhere --branch says it. It never touches a full
    deployment, and gives nothing to pull requests of forks.

    Examples: [bold]hybrid branch open[/]  ·  [bold]hybrid branch open staging --branch feature/x --pull-request 7[/]
    """
    from hybrid.pipeline.change import Given, change_of

    around = Surroundings.of(stack, Given(branch, pull_request_number, url, repository))
    change = change_of(around.run, around.given, around.checkout, around.deployed)
    require_served(around.stack)
    opened = _opened(around, change, wait=wait)
    if as_json:
        from hybrid.cli.console import answer_json

        answer_json(opened.document())
    else:
        _print(opened)
    if wait and not opened.loading.all_loaded:
        raise typer.Exit(NotReadyError.exit_code)


def require_served(stack: Stack) -> None:
    """Raises ``SettingsError`` for a stack whose agent serves no branch deployments, or that registers no location."""
    who = stack.who
    file = f"stacks/Pulumi.{who.stack}.yaml"
    if not who.settings.agent.branch_deployments:
        raise SettingsError(
            f"The agent of the stack '{who.stack}' serves no branch deployments.",
            why="Nobody would load what is sent there.",
            next_step=f"set `hybrid:agent.branchDeployments: true` in {file} and run `hybrid up {who.stack}`; or name "
            "another stack in stacks/pipeline.yaml.",
        )
    if who.settings.phase != "serve":
        raise SettingsError(
            f"The phase of the stack '{who.stack}' is {who.settings.phase}: it registers no code location.",
            next_step=f"set `hybrid:phase: serve` in {file} when it is to.",
        )


@dataclass(frozen=True)
class _Opened:
    """What came of it."""

    around: Surroundings
    change: Change
    claim: Claim
    written: Written
    loading: Loading
    waited: bool

    def document(self) -> dict[str, Any]:
        """The answer of ``branch open --json``; its keys are documented in docs/branch-deployments.md."""
        who, change = self.around.stack.who, self.change
        return {
            "stack": who.stack,
            "deployment": self.claim.name,
            "base": who.endpoint.deployment,
            "url": self.around.page(self.claim.name),
            "created": self.claim.created,
            "repository": change.repository,
            "branch": change.branch,
            "pull_request": change.pull_request,
            "commit": self.claim.commit.hash,
            "removed": list(self.written.removed),
            "waited": self.waited,
            "problem": self.loading.problem,
            "locations": [self._row(wanted) for wanted in self.loading.wanted],
        }

    def _row(self, wanted: Wanted) -> dict[str, Any]:
        status = self.loading.statuses.get(wanted.name)
        return {
            "name": wanted.name,
            "from": wanted.origin,
            "sent": wanted.name in self.written.sent,
            "image": wanted.image,
            "load_status": status.load_status if status else "NOT_REGISTERED",
            "is_loaded": self.loading.is_loaded(wanted),
            "error": status.error.message if status and status.error else None,
        }


def _opened(around: Surroundings, change: Change, *, wait: bool) -> _Opened:
    from hybrid.cli.branch.sources import Sources
    from hybrid.cli.console import note
    from hybrid.pipeline.branch_deployment import write_locations
    from hybrid.pipeline.loading import await_loaded, look
    from hybrid.pipeline.sent_code import SentCode

    stack = around.stack
    commit = change.commit_of(around.checkout)  # before anything is asked of Dagster+
    if around.checkout.is_changed:
        note("Changes that are not committed, or files that are new, are in the checkout, and in what is sent.")
    with around.full() as plus:
        _refuse_deployment(plus.current_deployment())
        claim = _claimed(around, change, commit, plus)
        note(f"{'Made' if claim.created else 'There is'} the branch deployment {claim.name} of {change.branch}.")
        with around.of_branch(claim.name) as branch:
            code = SentCode(sent_folder(around), claim.name)
            present, base = branch.location_documents(), plus.location_documents()
            merged_into = change.base_branch or around.deployed
            wanted = Sources(around.workspace, stack, base, present, code, merged_into).wanted()
            written = write_locations(claim, branch, wanted, code, note)
            loading = (
                await_loaded(claim, branch, stack.who.agent_label, wanted, _limits(stack), note)
                if wait
                else look(branch, wanted)
            )
    return _Opened(around, change, claim, written, loading, wait)


def _claimed(around: Surroundings, change: Change, commit: Commit, plus: PlusClient) -> Claim:
    """Raises ``SupersededError``, and ``UsageError`` for a pull request that the forge says is closed or of a fork."""
    from hybrid.pipeline.claim import Claim

    forge = around.forge(change.repository)
    _refuse_pull_request(change, forge)

    def head() -> str | None:
        asked = pull_request(forge, change.pull_request)
        return asked.head_sha if asked is not None and asked.head_branch == change.branch else None

    return Claim.taken(plus, change.described(), commit, around.checkout, head)


def _refuse_pull_request(change: Change, forge: Forge | None) -> None:
    asked = pull_request(forge, change.pull_request)
    if asked is None:
        return
    if asked.is_fork:
        raise UsageError(
            f"Pull request {asked.number} comes from another repository, and gets no branch deployment.",
            why="Its code would run on your agent, with the rights of your agent.",
            next_step="read it; to try it, push its branch to this repository and open a pull request from there.",
        )
    if asked.state != "open":
        raise UsageError(
            f"Pull request {asked.number} is {asked.state}.",
            next_step="open it again, or another one; `hybrid branch close` takes away what it had.",
        )
    if asked.head_branch != change.branch:
        raise UsageError(
            f"Pull request {asked.number} is of the branch '{asked.head_branch}', not of '{change.branch}'.",
            next_step="correct --branch or --pull-request.",
        )


def _refuse_deployment(deployment: Deployment) -> None:
    if deployment.agent_type == "SERVERLESS":
        raise SettingsError(
            f"The deployment '{deployment.name}' is run by Serverless, and so are its branch deployments.",
            why="A Hybrid agent would not be asked for them.",
            next_step="switch the deployment to Hybrid first (docs/serverless.md).",
        )
    if deployment.type == "BRANCH":
        raise SettingsError(
            f"The deployment '{deployment.name}' is a branch deployment itself.",
            next_step="set `hybrid:deployment` in the stack file to a full one.",
        )


def sent_folder(around: Surroundings) -> Any:
    """Where this machine keeps what code was sent."""
    return around.workspace.of_stack(around.stack.who.stack).root / "branches"


def _limits(stack: Stack) -> Limits:
    from hybrid.pipeline.loading import Limits

    settings = stack.who.settings
    load = max(settings.readiness.timeout_seconds, settings.agent.locations_ready_seconds(len(stack.folders)))
    return Limits(settings.readiness.heartbeat_timeout_seconds, load)


def _print(opened: _Opened) -> None:
    from rich.table import Table
    from rich.text import Text

    from hybrid.cli.console import note, out
    from hybrid.cli.locations.listing import print_whole, short

    loading = opened.loading
    for wanted in loading.wanted:
        status = loading.statuses.get(wanted.name)
        if loading.has_failed(wanted) and status is not None:
            note(f"{wanted.name} did not load:\n{status.error}")
    table = Table(box=None, pad_edge=False, show_header=False)
    for wanted in loading.wanted:
        failed = loading.has_failed(wanted)
        word = "LOADED" if loading.is_loaded(wanted) else "ERROR" if failed else "LOADING"
        style = {"LOADED": "green", "ERROR": "red", "LOADING": "yellow"}[word]
        sent = "sent" if wanted.name in opened.written.sent else "as it was"
        table.add_row(
            Text(wanted.name, style="bold"), Text(word, style=style), Text(_FROM[wanted.origin]),
            Text(short(wanted.image)), Text(sent, style="dim"),
        )  # fmt: skip
    print_whole(table)
    if loading.problem:
        note(f"Not all is loaded: {loading.problem}.")
        note(_HINT.format(stack=opened.around.stack.who.stack))
    out.print(f"UI: {opened.around.page(opened.claim.name)}", markup=False)


_FROM = {
    "built": "built and pushed",
    "present": "pushed before",
    "base": "the image of the full deployment",
    "elsewhere": "built elsewhere",
    "folder": "runs from its folder",
}
_HINT = (
    "An agent that stood before `hybrid:agent.branchDeployments` was set serves none until `hybrid up {stack}`; "
    "`hybrid status {stack}` says whether one is RUNNING."
)
