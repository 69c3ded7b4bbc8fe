"""``hybrid assets``: stored asset values of a deployment, from Serverless to the team's own storage."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli.stack import Json, Yes
from hybrid.errors import StoppedError, UsageError, ValuesNotCopiedError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from asset_values.copier import CopyOptions, Outcome
    from asset_values.model import Source
    from asset_values.stores.blob import BlobStore
    from asset_values.stores.folder import FolderStore
    from asset_values.stores.s3 import S3Store
    from hybrid.assets.places import Place, Presigned
    from hybrid.assets.plan import Plan
    from hybrid.assets.survey import Survey
    from hybrid.plus import PlusClient
    from stacks.identity import StackIdentity

app = typer.Typer(
    help="""Stored asset values: which there are, copied from Serverless to your own storage, verified.

    Examples: [bold]hybrid assets plan prod[/]  ·  [bold]hybrid assets copy prod --only 'group:sales'[/]  ·
    [bold]hybrid assets copy prod --from ./exported --to s3://acme-values/assets[/]  ·
    [bold]hybrid assets verify prod --sample 500[/]  ·  [bold]hybrid assets status prod --failed[/]""",
    no_args_is_help=True,
)

StackName = Annotated[str, typer.Argument(help="The stack: a file stacks/Pulumi.STACK.yaml.", metavar="STACK")]
From = Annotated[
    str | None,
    typer.Option("--from", help="Bucket, container or folder, where you can reach it; else Serverless's own."),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        help="s3://BUCKET/PREFIX, abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX, a folder; else the stack's.",
    ),
]
Endpoint = Annotated[
    str | None, typer.Option("--endpoint", help="Of --to, for another store that speaks S3 or as Azure's.")
]
FromEndpoint = Annotated[
    str | None, typer.Option("--from-endpoint", help="Of --from, for another store that speaks S3 or as Azure's.")
]
Only = Annotated[str | None, typer.Option("--only", help="Some assets, in Dagster's selection syntax.")]
Rate = Annotated[float | None, typer.Option("--rate", help="Values a second at most.", min=0.01)]
Threads = Annotated[int, typer.Option("--threads", help="Values at once.", min=1, max=256)]


@dataclass
class Ground:
    """What the commands have in common: the stack, its Dagster+, and both ends."""

    who: StackIdentity
    plus: PlusClient
    survey: Survey

    @property
    def manifest(self) -> Path:
        return manifest_of(self.who)

    @property
    def source(self) -> Place | Presigned:
        return self.survey.source

    @property
    def destination(self) -> Place:
        return self.survey.destination

    def listed(self, threads: int) -> S3Store | BlobStore | FolderStore | None:
        """The source's store where it can be listed."""
        from hybrid.assets.places import Presigned

        return None if isinstance(self.source, Presigned) else self.source.opened(threads, to_write=False)


@app.command()
def plan(
    stack: StackName = "local",
    source: From = None,
    from_endpoint: FromEndpoint = None,
    to: To = None,
    endpoint: Endpoint = None,
    only: Only = None,
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Show which values are stored, by which IO manager, and what a copy would do with them. Changes nothing.

    Examples: [bold]hybrid assets plan prod[/]  ·  [bold]hybrid assets plan prod --only 'key:"raw/*"' --json[/]
    """
    from hybrid.assets.documents import plan_document
    from hybrid.cli.assets_progress import AssetsProgress
    from hybrid.cli.console import answer_json, notes

    with ground_of(stack, _source(source, from_endpoint), to, endpoint, only, rate) as ground:
        with AssetsProgress(notes) as progress:
            found = ground.survey.plan(ground.plus, ground.listed(8), progress.asked)
        if as_json:
            answer_json({"stack": stack, **plan_document(found)})
        else:
            show_plan(found, stack)


@app.command()
def copy(
    stack: StackName = "local",
    source: From = None,
    from_endpoint: FromEndpoint = None,
    to: To = None,
    endpoint: Endpoint = None,
    only: Only = None,
    rate: Rate = None,
    threads: Threads = 32,
    overwrite_newer: Annotated[
        bool, typer.Option("--overwrite-newer", help="Also over values that somebody else wrote there later.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Ask also about values that are done and of whose change nothing tells.")
    ] = False,
    allow_rest: Annotated[
        bool, typer.Option("--allow-rest", help="End with 0 although values are left that a run has to load.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Copy stored values as they are, without loading them. Run again it goes on: what is done is not done again.

    Nothing newer at the destination is overwritten. Ends with 14 when not every value is there, each with its reason.

    Examples: [bold]hybrid assets copy prod[/]  ·  [bold]hybrid assets copy prod --only 'kind:python' --rate 50 --yes[/]
    ·  [bold]hybrid assets copy prod --to ./values[/]
    """
    from asset_values.copier import CopyOptions

    options = CopyOptions(threads=threads, rate=rate, overwrite_newer=overwrite_newer, again=again)
    with ground_of(stack, _source(source, from_endpoint), to, endpoint, only, rate) as ground:
        found, outcome = _copied(ground, options, yes=yes, as_json=as_json)
        _conclude(ground.who.stack, found, outcome, allow_rest=allow_rest, as_json=as_json)


def _copied(ground: Ground, options: CopyOptions, *, yes: bool, as_json: bool) -> tuple[Plan, Outcome]:
    from hybrid.assets.copying import copy as carried_out
    from hybrid.assets.copying import opened_manifest
    from hybrid.cli.assets_progress import AssetsProgress, interruptible, stoppable
    from hybrid.cli.console import notes

    with ExitStack() as stack:
        stack.enter_context(interruptible())
        destination = ground.destination.opened(options.threads, to_write=True)
        listed = ground.listed(options.threads)
        progress = stack.enter_context(AssetsProgress(notes))
        found = ground.survey.plan(ground.plus, listed, progress.asked)
        progress.stop()
        if not as_json:
            show_plan(found, ground.who.stack)
        _agree(ground, found, yes=yes)
        manifest = stack.enter_context(opened_manifest(ground.manifest, found))
        source = listed if listed is not None else stack.enter_context(_presigned(ground))
        progress = stack.enter_context(AssetsProgress(notes))
        stop = stack.enter_context(stoppable())
        return found, carried_out(found, source, destination, manifest, options, on_progress=progress.moved, stop=stop)


@contextmanager
def _presigned(ground: Ground) -> Iterator[Source]:
    """Serverless's own storage, read with an agent's token for as long as it is needed."""
    import hashlib
    import socket

    from hybrid.assets.places import Presigned
    from hybrid.assets.reading_token import reading_token
    from hybrid.cli.console import note
    from hybrid.plus import api_token

    where = ground.source
    if not isinstance(where, Presigned):
        raise TypeError("the source is a place that can be listed")
    checkout = hashlib.sha256(str(ground.manifest).encode()).hexdigest()[:8]  # another checkout's copy keeps its token
    with (
        reading_token(
            ground.plus,
            os.environ,
            api_token=api_token(os.environ, ground.who.token_file),
            deployment=ground.who.endpoint.deployment,
            description=f"hybrid assets copy {ground.who.stack} ({socket.gethostname()} {checkout})",
            note=note,
        ) as token,
        where.opened(token) as store,
    ):
        yield store


def _agree(ground: Ground, found: Plan, *, yes: bool) -> None:
    from hybrid.assets.plan import Way

    count = found.count(Way.BYTES)
    if yes or not count or ground.who.settings.embedded:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            f"`hybrid assets copy {ground.who.stack}` would write to {found.destination} and nobody is there to ask.",
            next_step=f"look at `hybrid assets plan {ground.who.stack}`, then give --yes.",
        )
    typer.confirm(f"Copy {count} values to {found.destination}?", abort=True)


def _conclude(stack: str, found: Plan, outcome: Outcome, *, allow_rest: bool, as_json: bool) -> None:
    """Says what came of it; raises the error that the exit code comes from."""
    from hybrid.assets.documents import outcome_document
    from hybrid.assets.text import counted, counts_line, failure_lines, job_commands, rest_line
    from hybrid.cli.console import answer_json, note

    if as_json:
        answer_json({"stack": stack, **outcome_document(found, outcome)})
    else:
        note(f"{found.destination}: {counts_line(outcome.counts)}.")
    failed = failure_lines(outcome.failures, outcome.counts.failures)
    every = f"`hybrid assets status {stack} --failed` has every failure; the same command again goes on from here."
    if outcome.stopped:
        raise StoppedError(
            "Stopped; what was copied is recorded.", next_step="the same command again goes on from here."
        )
    if outcome.given_up:
        raise ValuesNotCopiedError(
            "The copy was given up: every other value would meet the same fault.",
            why="\n".join(filter(None, (outcome.given_up, failed))),
            next_step=f"mend that. {every}",
        )
    if outcome.counts.failures:
        raise ValuesNotCopiedError(
            f"{outcome.counts.failures} of {outcome.counts.total} values were not copied.", why=failed, next_step=every
        )
    if found.rest and not allow_rest:
        raise ValuesNotCopiedError(
            f"To be loaded by a run, and left: {counted(sum(len(asset.values) for asset in found.rest))}.",
            why=rest_line(found),
            next_step=f"{job_commands(found, stack)}; leave out by --only what is not needed, or give --allow-rest.",
        )


@app.command()
def status(
    stack: StackName = "local",
    failed: Annotated[bool, typer.Option("--failed", help="Every value that failed, with its reason.")] = False,
    as_json: Json = False,
) -> None:
    """Show what was copied so far, from the manifest alone: nobody is asked.

    Examples: [bold]hybrid assets status prod[/]  ·  [bold]hybrid assets status prod --failed --json[/]
    """
    from hybrid.assets.copying import manifest_to_read
    from hybrid.assets.documents import status_document
    from hybrid.assets.text import counts_line
    from hybrid.cli.console import answer_json, out
    from hybrid.engine.stack import identity

    who = identity(Workspace.of_this_checkout(), stack)
    with manifest_to_read(manifest_of(who), stack) as manifest:
        if as_json:
            answer_json({"stack": stack, **status_document(manifest, failed=failed)})
            return
        of = manifest.identity
        out.print(f"{of.source}  →  {of.destination}", markup=False)
        out.print(f"{counts_line(manifest.counts())}.", markup=False)
        if failed:
            for row in manifest.failures():
                out.print(f"{row.item.label}: {row.reason or row.state.value}", markup=False)


@contextmanager
def ground_of(
    stack: str, source: Place | None, to: str | None, endpoint: str | None, only: str | None, rate: float | None
) -> Iterator[Ground]:
    """Raises ``UsageError`` for ends that are none, ``SettingsError`` for the stack's file or token."""
    from hybrid.assets.places import Presigned
    from hybrid.assets.survey import Survey
    from hybrid.cli.dagster_plus import client_of
    from hybrid.engine.stack import identity

    who = identity(Workspace.of_this_checkout(), stack)
    survey = Survey(source or Presigned(who.endpoint), _destination(who, to, endpoint), only, rate)
    with client_of(who, patient=True) as plus:
        yield Ground(who, plus, survey)


def _source(place: str | None, endpoint: str | None) -> Place | None:
    """None: Serverless's own storage. Raises ``UsageError``."""
    from hybrid.assets.places import Place

    if place is not None:
        return Place.of(place, endpoint=endpoint, option="--from-endpoint")
    if endpoint is not None:
        raise UsageError("--from-endpoint is of the store that --from names.", next_step="give both, or neither.")
    return None


def _destination(who: StackIdentity, to: str | None, endpoint: str | None) -> Place:
    from hybrid.assets.places import Place

    place = Place.of(to, endpoint=endpoint) if to is not None else own_place(who, endpoint)
    if place is None:
        raise UsageError(
            f"The stack '{who.stack}' has no place for stored values.",
            next_step="give --to (a bucket, a container or a folder), or set `hybrid:assetValues` in the stack file.",
        )
    return place


def own_place(who: StackIdentity, endpoint: str | None = None) -> Place | None:
    """The stack's own place, by its settings; ``endpoint`` instead of theirs."""
    from hybrid.assets.places import Place
    from hybrid.engine.stored_values import stored_values_place

    own = stored_values_place(who)
    return None if own is None else Place.of(own.url, endpoint=endpoint or own.endpoint, region=own.region)


def manifest_of(who: StackIdentity) -> Path:
    """Where the stack's manifest is."""
    return who.folder.root / "assets.sqlite"


def show_plan(found: Plan, stack: str) -> None:
    """The plan as a table of its assets, and what the table leaves unsaid."""
    from rich.table import Table

    from hybrid.assets.text import plan_lines, plan_rows
    from hybrid.cli.console import note, out

    note(f"{found.source}  →  {found.destination}")
    table = Table(box=None, pad_edge=False)
    for name in ("asset", "way"):
        table.add_column(name)
    for name in ("values", "bytes"):
        table.add_column(name, justify="right")
    table.add_column("IO manager")
    for row in plan_rows(found):
        table.add_row(*(_plain(cell) for cell in row))
    if found.assets:
        out.print(table)
    for line in plan_lines(found, stack):
        note(line)


def _plain(cell: str) -> Any:
    from rich.text import Text

    return Text(cell)
