"""``hybrid switch plan``: what has to change before the switch, the files for it, and the steps with their times."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli.stack import Json, Yes
from hybrid.errors import SettingsError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.switch.fixes.catalogue import Fixes
    from hybrid.switch.fixes.fix import Executor, Wishes
    from hybrid.switch.fixes.secret_store import SecretStore
    from hybrid.switch.inspection import Inspection
    from hybrid.switch.plan import Plan
    from hybrid.switch.planning import StackFacts
    from hybrid.switch.written import Beside
    from stacks.identity import StackIdentity


class How(StrEnum):
    BY_QUEUE = "by_queue"
    AT_ONCE = "at_once"


class Executors(StrEnum):
    IN_PROCESS = "in_process"
    MULTIPROCESS = "multiprocess"
    TAG = "tag"


def register(app: typer.Typer) -> None:
    app.command()(plan)


def plan(
    stack: Annotated[str, typer.Argument(help="The stack that the deployment goes to.", metavar="STACK")],
    inspection: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A saved inspection. Default: Dagster+ is asked now.")
    ] = None,
    repository: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The checkout of the locations' code. Default: this one.")
    ] = None,
    strategy: Annotated[
        How | None, typer.Option(help="Default: by queue where the organization has agent queues, else at once.")
    ] = None,
    executor: Annotated[
        Executors | None, typer.Option(help="What takes the place of non-isolated runs. Default: no code is edited.")
    ] = None,
    own_secrets: Annotated[
        bool,
        typer.Option(
            "--own-secrets/--dagster-plus-secrets",
            help="Plan secrets for AWS Secrets Manager, or Secrets of the cluster. Default: Dagster+ keeps them.",
        ),
    ] = False,
    convert: Annotated[
        bool, typer.Option("--convert", help="Say a dagster_cloud.yaml as the files of dg projects.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Write the files; what somebody edited is left alone.")
    ] = False,
    yes: Yes = False,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Save the plan, for `rehearse` and `run`.")] = None,
    as_json: Json = False,
) -> None:
    """Say what has to change before a deployment leaves Serverless, propose the files, and list the steps: what each
    does, what becomes of it when it fails, how long it takes. Nothing is changed in Dagster+.

    Examples: [bold]hybrid switch plan prod[/]  ·  [bold]hybrid switch plan prod --executor in_process --write[/]  ·
    [bold]hybrid switch plan prod --inspection inspection.json --save plan.json[/]
    """
    from hybrid.engine.stack import identity
    from hybrid.switch.inspection import now
    from hybrid.switch.planning import plan_of

    workspace = Workspace.of_this_checkout()
    who = identity(workspace, stack)
    root = (repository or workspace.root).resolve()
    found = _inspection(who, root, inspection)
    wishes = _wishes(workspace, who, root, found, executor.value if executor else None, own_secrets, convert)
    fixes, files = _fixes(root, found, wishes)
    written: tuple[str, ...] = ()
    if write:
        written = _written(root, files, yes=yes, as_json=as_json)
        fixes, files = _fixes(root, found, wishes)
    left = [each.path for each in files if each.standing != "same"]
    made = plan_of(found, _facts(workspace, who), fixes, left, made_at=now(), strategy=_strategy(strategy))
    if save is not None:
        _save(save, made)
    if as_json:
        _answer(made, fixes, files, written)
    else:
        _say(made, files, written, write=write)
    edited = [each.path for each in files if each.standing == "edited"]
    if write and edited:
        raise SettingsError(
            f"Somebody edited {', '.join(edited)}; {'it is' if len(edited) == 1 else 'they are'} left as found.",
            next_step="take over by hand what is shown above, or move the file away, and run the same command again.",
        )


def _strategy(given: How | None) -> Any:
    from hybrid.switch.plan import Strategy

    return None if given is None else Strategy(given.value)


def _inspection(who: StackIdentity, root: Path, saved: Path | None) -> Inspection:
    """The saved one, of this stack's deployment, or one that is made now."""
    from hybrid.switch.inspection import Inspection, inspected
    from hybrid.switch.repository_scan import scan_repository

    if saved is None:
        from hybrid.cli.dagster_plus import client_of
        from hybrid.switch.organization_reader import read_organization

        with client_of(who) as client:
            return inspected(read_organization(client), scan_repository(root))
    found = Inspection.read(saved)
    state = found.organization
    endpoint = who.endpoint
    if state is not None and (state.organization, state.deployment.name, state.url) != (
        endpoint.organization,
        endpoint.deployment,
        endpoint.url,
    ):
        raise UsageError(
            f"{saved} is of the deployment {state.deployment.name} of {state.organization}.",
            why=f"The stack {who.stack} is of the deployment {endpoint.deployment} of {endpoint.organization}.",
            next_step=f"`hybrid switch inspect {who.stack} --save FILE`.",
        )
    return found


def _wishes(
    workspace: Workspace,
    who: StackIdentity,
    root: Path,
    found: Inspection,
    executor: Executor | None,
    own_secrets: bool,
    convert: bool,
) -> Wishes:
    from hybrid.switch.finding import FindingKind
    from hybrid.switch.fixes.fix import Wishes

    store = _secret_store(who)
    if own_secrets and store is None:
        raise UsageError(
            f"The platform of the stack '{who.stack}' gives code no secrets of its own.",
            why="Dagster's launcher there has no setting for them.",
            next_step="leave --own-secrets away: Dagster+ keeps them, and gives them to code there as well.",
        )
    has_workflows = any(each.kind is FindingKind.SERVERLESS_WORKFLOW for each in found.findings)
    return Wishes(
        stack=who.stack,
        executor=executor,
        secret_store=store,
        moves_secrets=own_secrets,
        convert=convert,
        apart=root != workspace.root.resolve(),
        io_manager=who.settings.asset_values.io_manager,
        folders={each.name: each.folder for each in found.repository.locations} if found.repository else {},
        workflows=_workflows(workspace, who.stack) if has_workflows else {},
    )


def _secret_store(who: StackIdentity) -> SecretStore | None:
    from hybrid.engine.secret_places import aws_place, cluster_place
    from hybrid.switch.fixes.secret_store import ClusterSecrets, SecretsManager

    if (place := aws_place(who)) is not None:
        return SecretsManager(who.stack, *place)
    if (cluster := cluster_place(who)) is not None:
        return ClusterSecrets(who.stack, *cluster)
    return None


def _workflows(workspace: Workspace, stack: str) -> Mapping[str, Mapping[str, str]]:
    """As `hybrid ci init` writes them; where nothing is deployed by CI yet, for a pipeline that deploys this stack."""
    from dataclasses import replace

    from hybrid.cli import ci
    from hybrid.workflows.github import github_files
    from hybrid.workflows.gitlab import gitlab_files
    from hybrid.workflows.pipeline import DeployedStack

    pipeline = ci._pipeline(workspace)
    if not pipeline.deploy:
        pipeline = replace(pipeline, deploy=(DeployedStack(stack, secrets=ci._secrets(workspace, stack)),))
    return {"github": github_files(pipeline), "gitlab": gitlab_files(pipeline)}


def _fixes(root: Path, found: Inspection, wishes: Wishes) -> tuple[Fixes, list[Beside]]:
    from hybrid.switch.fixes.catalogue import fixes_for
    from hybrid.switch.repository_contents import RepositoryContents
    from hybrid.switch.repository_files import RepositoryFiles
    from hybrid.switch.written import beside

    fixes = fixes_for(found.findings, RepositoryContents(RepositoryFiles.of(root)), wishes)
    return fixes, beside(root, fixes.files)


def _facts(workspace: Workspace, who: StackIdentity) -> StackFacts:
    from hybrid.cli.console import note
    from hybrid.engine.stack import Stack
    from hybrid.engine.stored_values import stored_values_place
    from hybrid.switch.planning import StackFacts

    settings, place = who.settings, stored_values_place(who)
    served: tuple[str, ...] = ()
    try:
        served = tuple(each.name for each in Stack.read(workspace, who.stack).folders)
    except SettingsError as error:
        note(f"What the stack serves is not known: {error.sentence()}")
    return StackFacts(
        who.stack,
        settings.agent.kind,
        served,
        settings.phase,
        settings.asset_values.io_manager,
        settings.agent.needs_images,
        None if place is None else place.url,
    )


def _written(root: Path, files: Sequence[Beside], *, yes: bool, as_json: bool) -> tuple[str, ...]:
    """Shows what changes, asks, writes."""
    from hybrid.cli.console import note
    from hybrid.redaction import redact
    from hybrid.switch.written import write

    changing = [each for each in files if each.standing in {"new", "outdated", "edit"}]
    if not changing:
        note("Nothing to write.")
        return ()
    shown = sys.stderr if as_json else sys.stdout
    shown.write(redact("".join(each.difference for each in changing)))
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(
                f"{len(changing)} files would be written and nobody is there to ask.",
                next_step="look at what is shown, then give --yes as well.",
            )
        typer.confirm(f"write these {len(changing)} files?", abort=True, err=True)
    return write(root, files)


def _save(file: Path, made: Plan) -> None:
    from hybrid.cli.console import note
    from hybrid.cli.switch_inspect import _put

    _put(file, json.dumps(made.document(), indent=2, ensure_ascii=False) + "\n")
    note(f"Saved: {file}.")


def _answer(made: Plan, fixes: Fixes, files: Sequence[Beside], written: tuple[str, ...]) -> None:
    """The plan is not redacted anew: what is in it was redacted as it was read, and its digest is of that."""
    from hybrid.redaction import redact

    document = {
        "plan": made.document(),
        "fixes": json.loads(redact(json.dumps([each.document() for each in fixes.fixes]))),
        "files": [
            {"path": each.path, "standing": each.standing, "difference": redact(each.difference)} for each in files
        ],
        "written": written,
    }
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _say(made: Plan, files: Sequence[Beside], written: tuple[str, ...], *, write: bool) -> None:
    from hybrid.cli.console import note
    from hybrid.redaction import redact
    from hybrid.switch.plan_text import plan_text

    kept = {"edited"} if write else {"new", "outdated", "edit", "edited"}
    sys.stdout.write(redact("".join(each.difference for each in files if each.standing in kept)))
    sys.stdout.write(plan_text(made))
    if written:
        note(f"Written: {', '.join(written)}.")
    elif not write and any(each.standing != "same" for each in files):
        note("Nothing is written without --write.")
