"""A plan carried out: what can be copied as bytes, recorded in a manifest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid.assets.plan import Plan
from hybrid.errors import UsageError, ValuesNotCopiedError

if TYPE_CHECKING:
    from asset_values.copier import CopyOptions, Outcome
    from asset_values.manifest import Manifest
    from asset_values.model import Destination, Source
    from asset_values.progress import Progress


def copy(
    plan: Plan,
    source: Source,
    destination: Destination,
    manifest: Manifest,
    options: CopyOptions,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Outcome:
    """Copies what the plan has as bytes. Faults of single values are in the outcome.

    Raises ``ValuesNotCopiedError`` when two values of the plan would be written to one key.
    """
    from asset_values.copier import Copier
    from asset_values.manifest import PlanConflict

    try:
        manifest.plan(plan.items())
    except PlanConflict as error:
        raise ValuesNotCopiedError(
            "Two values would be written to one key; nothing was copied.",
            why=str(error),
            next_step="leave one of them out by --only.",
        ) from None
    return Copier(source, destination, manifest, options, on_progress=on_progress, stop=stop).run()


@contextmanager
def opened_manifest(path: Path, plan: Plan) -> Iterator[Manifest]:
    """The stack's manifest, for this copy alone. Raises ``UsageError`` when it is another copy's, is at work, or cannot
    be used."""
    from asset_values.manifest import Identity, Manifest, ManifestBusy, ManifestError, ManifestMismatch

    try:
        manifest = Manifest(path, Identity(plan.organization, plan.deployment, plan.source, plan.destination))
    except ManifestMismatch as error:
        raise UsageError(
            "This stack's manifest is of another copy; nothing was copied.",
            why=str(error),
            next_step=f"move {path} away if that copy is no longer needed, or name the same ends by --from and --to. "
            "What a former copy has written is found and not written twice.",
        ) from None
    except ManifestBusy as error:
        raise UsageError(
            "Another `hybrid assets` of this stack is at work.", why=str(error), next_step="wait until it has ended."
        ) from None
    except ManifestError as error:
        raise UsageError(
            "This stack's manifest cannot be used.",
            why=str(error),
            next_step=f"move {path} away: what was copied is found at the destination, and not written twice.",
        ) from None
    with manifest:
        yield manifest


@contextmanager
def manifest_to_read(path: Path, stack: str) -> Iterator[Manifest]:
    """What the manifest says, also while a copy is at work. Raises ``UsageError`` when there is none."""
    from asset_values.manifest import Manifest, ManifestError

    try:
        manifest = Manifest.read_only(path)
    except FileNotFoundError:
        raise UsageError(
            f"Nothing was copied of the stack '{stack}' from here.",
            why=f"There is no manifest {path}.",
            next_step=f"`hybrid assets plan {stack}` shows what there is, `hybrid assets copy {stack}` copies it.",
        ) from None
    except ManifestError as error:
        raise UsageError(
            "This stack's manifest cannot be read.",
            why=str(error),
            next_step=f"move {path} away and copy again: what was copied is found at the destination.",
        ) from None
    with manifest:
        yield manifest
