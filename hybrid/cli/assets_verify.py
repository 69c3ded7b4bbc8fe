"""``hybrid assets verify``: whether what was copied is there, right, and all."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli.assets import Only, StackName, Threads, manifest_of, own_place
from hybrid.cli.stack import Json
from hybrid.errors import RunFailedError, StoppedError, UsageError, ValuesNotCopiedError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from asset_values.manifest import Manifest
    from asset_values.verifier import Verification
    from hybrid.assets.plan import Plan
    from hybrid.assets.verification import Since
    from hybrid.plus import PlusClient
    from stacks.identity import StackIdentity


def register(app: typer.Typer) -> None:
    app.command()(verify)


def verify(
    stack: StackName = "local",
    sample: Annotated[int | None, typer.Option("--sample", help="So many values instead of all.", min=1)] = None,
    load: Annotated[
        int | None,
        typer.Option("--load", help="Also have each location load so many, through its own IO manager.", min=1),
    ] = None,
    only: Only = None,
    threads: Threads = 32,
    as_json: Json = False,
) -> None:
    """Compare size and checksum of what was copied, and ask Dagster+ what was stored since. Changes nothing.

    With --load a run of each location that has the job `verify_stored_values` (`hybrid assets job`) loads some values.
    Ends with 14 when a value is missing, differs, or was stored anew since it was copied.

    Examples: [bold]hybrid assets verify prod[/]  ·  [bold]hybrid assets verify prod --sample 500 --load 20[/]
    """
    from hybrid.assets.copying import manifest_to_read
    from hybrid.assets.documents import verification_document
    from hybrid.assets.text import verification_lines
    from hybrid.assets.verification import stored_since
    from hybrid.cli.console import answer_json, note
    from hybrid.cli.dagster_plus import client_of
    from hybrid.engine.stack import identity

    who = identity(Workspace.of_this_checkout(), stack)
    with manifest_to_read(manifest_of(who), stack) as manifest, client_of(who, patient=True) as plus:
        plan, found = _looked_at(who, plus, manifest, only, sample, threads)
        since = stored_since(plan, manifest)
        if as_json:
            answer_json({"stack": stack, **verification_document(found, since)})
        else:
            for line in verification_lines(found, since):
                note(line)
        _conclude(stack, found, since)
        if load is not None:
            _load(plus, who, load)


def _looked_at(
    who: StackIdentity, plus: PlusClient, manifest: Manifest, only: str | None, sample: int | None, threads: int
) -> tuple[Plan, Verification]:
    from asset_values.verifier import Verifier
    from hybrid.assets.places import Presigned
    from hybrid.assets.survey import Survey
    from hybrid.assets.verification import ends_of, refuse_another
    from hybrid.cli.assets_progress import AssetsProgress, stoppable
    from hybrid.cli.console import notes

    source, named = ends_of(manifest)
    own = own_place(who)
    destination = own if own is not None and own.name == named.name else named  # a name has no region
    with ExitStack() as stack:
        progress = stack.enter_context(AssetsProgress(notes))
        plan = Survey(source or Presigned(plus.endpoint), destination, only).plan(plus, on_progress=progress.asked)
        refuse_another(manifest, plan.organization, plan.deployment)
        there = destination.opened(threads, to_write=False)
        here = source.opened(threads, to_write=False) if source is not None else None
        stop = stack.enter_context(stoppable())
        verifier = Verifier(here, there, manifest, sample, threads, on_progress=progress.moved, stop=stop)
        return plan, verifier.run()


def _conclude(stack: str, found: Verification, since: Since) -> None:
    from hybrid.assets.text import finding_lines, listed

    if found.stopped:
        raise StoppedError("Stopped before all was looked at.", next_step="run the same command again.")
    if not found.ok:
        raise ValuesNotCopiedError(
            "Not every value is at the destination as it was stored.",
            why=finding_lines(found),
            next_step=f"`hybrid assets copy {stack} --again` looks at every value anew, and copies what is missing.",
        )
    if since:
        raise ValuesNotCopiedError(
            "Values were stored that are not copied yet.",
            why=f"{listed([*since.stale, *since.new])}.",
            next_step=f"`hybrid assets copy {stack}` copies them; nothing else is copied again.",
        )


def _load(plus: PlusClient, who: StackIdentity, values: int) -> None:
    from hybrid.assets.verification import LOAD_JOB, load_in_location, locations_that_load
    from hybrid.cli.console import note

    locations = locations_that_load(plus.repository_resources())
    if not locations:
        raise UsageError(
            f"No code location has the job `{LOAD_JOB}`, which loads values through its own IO manager.",
            next_step=f"`hybrid assets job {who.stack} LOCATION --write` writes it; deploy that, then run this again.",
        )
    for location in locations:
        run = load_in_location(plus, location, values, lambda name, number: note(f"{name}: run {number} loads values"))
        if run.status != "SUCCESS":
            raise RunFailedError(
                f"The run of {LOAD_JOB} in {location} ended in {run.status}.",
                next_step=f"look at its log: {who.page}/runs/{run.id}.",
            )
        note(f"{location}: loaded through its own IO manager.")
