"""``hybrid locations sweep``: images that nothing uses any more, out of the stack's repositories in ECR or in Azure's
registry."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli.stack import Json
from hybrid.errors import HybridError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.cli.locations.image_store import ImageStore, StoredImage
    from hybrid.cli.locations.used_images import UsedImages
    from hybrid.engine.stack import Stack

_SHOWN = 8  # deployments that are named
Named = Annotated[str, typer.Argument(help="The stack: a file stacks/Pulumi.STACK.yaml.", metavar="STACK")]


def register(app: typer.Typer) -> None:
    app.command()(sweep)


def sweep(
    stack: Named,
    keep: Annotated[
        int, typer.Option("--keep", metavar="N", help="The newest N tagged images of each repository stay.", min=0)
    ] = 3,
    keep_days: Annotated[
        int,
        typer.Option(
            "--keep-days", metavar="N", help="Images pushed, in ECR also pulled, in the last N days stay.", min=0
        ),
    ] = 7,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before images are removed.")] = False,
    as_json: Json = False,
) -> None:
    """Show, and after agreement remove, the images of the stack's repositories in ECR or Azure that nothing uses: no
    code location of any deployment, branch deployments included, no pin, nothing that runs on a stack's platform. The
    oldest go first.

    The newest three of each repository stay for a rollback, and what was pushed within a week; in ECR also what was
    pulled within it. Right before each removal all of it is asked again. The API token must see all deployments.

    Examples: [bold]hybrid locations sweep prod[/]  ·  [bold]hybrid locations sweep prod --keep 5 --keep-days 30
    --yes[/]  ·  [bold]hybrid locations sweep prod --json[/]
    """
    from hybrid.cli.console import answer_json, note

    workspace = Workspace.of_this_checkout()
    broom = Broom.of(workspace, stack, keep, timedelta(days=keep_days))
    note(f"Asking Dagster+ and the stacks' platforms what of {broom.store.registry.host} is in use ...")
    found = broom.unused()
    if not as_json:
        _show(broom, found)
    outcome = Outcome()
    try:
        if found and _agreed(found, yes, as_json=as_json):
            broom.remove(found, outcome)
    finally:
        if as_json:
            answer_json(_document(stack, broom, found, outcome))
        elif outcome.removed or outcome.spared:
            note(_summary(outcome))
    if outcome.failed:
        digest, why = next(iter(outcome.failed.items()))
        raise HybridError(
            f"{len(outcome.failed)} images could not be removed.",
            why=f"{digest}: {why}",
            next_step="run the same command again; what is part of another image goes after it.",
        )


@dataclass
class Outcome:
    """What became of the images that were to go."""

    removed: list[StoredImage] = field(default_factory=list)
    spared: dict[str, str] = field(default_factory=dict)
    """What has come into use since it was shown, by digest, and by what."""
    failed: dict[str, str] = field(default_factory=dict)


@dataclass
class Broom:
    """One sweep of one stack's repositories."""

    workspace: Workspace
    stack: Stack
    store: ImageStore
    keep: int
    young: timedelta
    looked_at: int = 0
    """How many images there are."""
    deployments: list[str] = field(default_factory=list)
    """Those that were asked."""

    @classmethod
    def of(cls, workspace: Workspace, name: str, keep: int, young: timedelta) -> Broom:
        """Raises ``UsageError`` for a stack whose images are where they cannot be listed."""
        from hybrid.cli.locations.image_store import image_store
        from hybrid.engine.stack import Stack

        stack = Stack.read(workspace, name)
        store = image_store(stack.who)
        if store is None:
            raise UsageError(
                f"The images of the stack '{name}' are neither in ECR nor in a registry of Azure.",
                why="Other registries have ways of their own to list and remove images, and rules that do it by "
                "themselves; a local stack has no images.",
                next_step="use the registry's own clean-up, and keep what `hybrid locations list` shows.",
            )
        return cls(workspace, stack, store, keep, young)

    def unused(self) -> list[StoredImage]:
        """The oldest first; of one age, an index before its parts."""
        from hybrid.delivery.repository import AGENT

        registry = self.store.registry
        served = {registry.repository(folder.name) for folder in self.stack.folders if folder.kind == "folder"}
        names = self.store.repositories({*served, registry.repository(AGENT)})
        found = {name: self.store.images(name) for name in names}
        self.looked_at = sum(map(len, found.values()))
        used = self._in_use()
        self.deployments = used.deployments
        oldest = datetime.now(UTC) - self.young
        unused = [image for listed in found.values() for image in removable(listed, used, self.keep, oldest)]
        return sorted(unused, key=lambda image: (image.pushed, not image.is_index, image.digest))

    def remove(self, found: Sequence[StoredImage], outcome: Outcome) -> None:
        """Batch by batch, each after another look at what is in use. No `up` of this checkout runs meanwhile."""
        from hybrid.cli.console import note
        from hybrid.engine.lock import UpdateLock

        name = self.stack.who.stack
        with UpdateLock(self.workspace.of_stack(name).root, name):
            for batch in batches(found, self.store.batch):
                used = self._in_use()
                going = [image for image in batch if not _spared(image, found, used, outcome)]
                if not going:
                    continue
                failed = self.store.remove(going)
                outcome.failed |= failed
                outcome.removed += [image for image in going if image.digest not in failed]
                note(f"removed {len(outcome.removed)} of {len(found)}")

    def _in_use(self) -> UsedImages:
        from hybrid.cli.locations.used_images import images_in_use

        return images_in_use(self.workspace, self.stack, self.store.registry)


def removable(found: Sequence[StoredImage], used: UsedImages, keep: int, oldest: datetime) -> list[StoredImage]:
    """Of one repository's images, those that may go. What a kept index consists of stays, and so does the index of
    which a part is used."""
    newest = sorted((image for image in found if image.tags), key=lambda image: image.pushed, reverse=True)[:keep]
    kept = {image.digest for image in newest}
    # a run that is queued starts from the image that its location had when it was made: one that was pulled of late
    kept |= {image.digest for image in found if image.locked or image.touched >= oldest}
    kept |= {image.digest for image in found if used.what_uses(image.repository, image.digest, image.tags)}
    kept |= {image.digest for image in found if kept.intersection(image.parts)}
    kept |= {part for image in found if image.digest in kept for part in image.parts}
    return [image for image in found if image.digest not in kept]


def batches(found: Iterable[StoredImage], size: int) -> Iterator[list[StoredImage]]:
    """In order, each of one repository and of ``size`` images at most; an index and its parts never in one."""
    waiting: list[StoredImage] = []
    for image in found:
        full = len(waiting) == size or (waiting and waiting[0].repository != image.repository)
        if full or any(image.digest in other.parts for other in waiting):
            yield waiting
            waiting = []
        waiting.append(image)
    if waiting:
        yield waiting


def _spared(image: StoredImage, found: Sequence[StoredImage], used: UsedImages, outcome: Outcome) -> bool:
    """Whether it, an index over it, or a part of it has come into use since it was shown."""
    near = [other for other in found if image.digest in other.parts or other.digest in image.parts]
    for other in (image, *near):
        what = used.what_uses(other.repository, other.digest, other.tags)
        if what is not None:
            outcome.spared[image.digest] = what
            return True
    return False


def _agreed(found: Sequence[StoredImage], yes: bool, *, as_json: bool) -> bool:
    from hybrid.cli.console import note

    if yes:
        return True
    if as_json or not sys.stdin.isatty():
        note("Nothing is removed without agreement: add --yes.")
        return False
    return typer.confirm(f"Remove these {len(found)} images?", default=False)


def _show(broom: Broom, found: Sequence[StoredImage]) -> None:
    from rich.table import Table
    from rich.text import Text

    from hybrid.cli.console import note, out
    from hybrid.cli.locations.listing import print_whole

    names = broom.deployments
    note(f"Asked {len(names)} deployments: {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}")
    if not found:
        note(
            f"All {broom.looked_at} images are in use, locked, {broom.store.notes} of late, or among the newest "
            f"{broom.keep} of their repository."
        )
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("pushed", "repository", "digest", "tags", "MB"):
        table.add_column(title, justify="right" if title == "MB" else "left")
    for image in found:
        tags = ", ".join(image.tags) or "(untagged)"
        size = f"{image.size / 1e6:.0f}"
        table.add_row(f"{image.pushed:%Y-%m-%d}", Text(image.repository), image.digest[:19], Text(tags), size)
    print_whole(table)
    total = sum(image.size for image in found) / 1e9
    out.print(f"{len(found)} of {broom.looked_at} images, {total:.2f} GB with the layers that they share")


def _summary(outcome: Outcome) -> str:
    text = f"{len(outcome.removed)} images removed"
    if outcome.spared:
        digest, what = next(iter(outcome.spared.items()))
        text += f"; {len(outcome.spared)} came into use meanwhile and stay, such as {digest[:19]} by {what}"
    return text + "."


def _document(stack: str, broom: Broom, found: Sequence[StoredImage], outcome: Outcome) -> dict[str, Any]:
    removed = {(image.repository, image.digest) for image in outcome.removed}
    return {
        "stack": stack,
        "registry": broom.store.registry.host,
        "deployments": broom.deployments,
        "looked_at": broom.looked_at,
        "removed": len(removed),
        "images": [
            {
                "repository": image.repository,
                "digest": image.digest,
                "tags": list(image.tags),
                "pushed_at": image.pushed.isoformat(),
                "bytes": image.size,
                "removed": (image.repository, image.digest) in removed,
                "used_by": outcome.spared.get(image.digest),
                "error": outcome.failed.get(image.digest),
            }
            for image in found
        ],
    }
