"""The review of a change: from git which stacks it touches, each of them reviewed, several at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final

from hybrid.delivery.selection import Changes, changes_since
from hybrid.engine.backend import is_personal
from hybrid.engine.pipeline import read_pipeline
from hybrid.engine.stack import Stack, stack_names
from hybrid.errors import HybridError, SettingsError, UsageError
from hybrid.redaction import redact
from hybrid.review.base_tree import BaseTree
from hybrid.review.document import Commit, Missing, Review, StackReview
from hybrid.review.touched import StackPlace, Touched, is_of_the_program, stack_of_file, touched
from hybrid.review.worker import Order, in_a_process, in_this_process
from hybrid.toolchain import Pulumi
from hybrid.workspace import STACK_NAME, Workspace

ASKED_FOR: Final = "asked for"


@dataclass(frozen=True)
class Request:
    """What is to be reviewed, and how."""

    workspace: Workspace
    base: str
    """A commit, branch or tag; the review is of what came since the branch left it."""
    stacks: tuple[str, ...] = ()
    """Review these, touched or not. Empty: those that the change touches."""
    every: bool = False
    """Review every stack, touched or not."""
    head: str | None = None
    """The commit that is reviewed, where git's HEAD is a merge that a CI has made of it. None: HEAD."""
    policies: bool = True
    """Whether the policy pack is held against each stack."""
    secrets: bool = False
    """Whether a team's stacks are previewed with the values of their secrets, which takes the key to decrypt them, and
    with a look at what stands. A personal stack always is: its key is on its machine."""
    offline: bool = False
    """Whether to ask nobody: the program alone, against that of the base."""
    state: Path | None = None
    """For an offline review, a folder with states that `hybrid review export` wrote."""


def review(request: Request, pulumi: Callable[[], Pulumi], report: Callable[[str], None]) -> Review:
    """``pulumi`` is asked for only when a stack is to be previewed; ``report`` takes one-line notices.

    Raises ``UsageError`` for what git cannot tell (a shallow clone, no common commit) and for an unknown stack,
    ``SettingsError`` for a wrong stacks/pipeline.yaml, ``StoppedError`` after Ctrl-C.
    """
    workspace = request.workspace
    changes = changes_since(workspace.root, request.base)
    changed = _below(changes, workspace)
    names = _ordered(workspace)
    _refuse_strangers(request, names)
    blind = {} if request.secrets else _blind(workspace, names)
    # where no file of a program changed, the head's is the base's: it is run over the base's settings
    whole = (request.offline or bool(blind)) and any(is_of_the_program(path) for path in changed)
    with BaseTree.at(workspace.root, changes.base, _folders_elsewhere(workspace, names), whole=whole) as base:
        chosen = _chosen(request, changed, names, base)
        found = [*_removed(changed, workspace), *_reviewed(request, chosen, blind, base, pulumi, report)]
    reviewed = {each.stack for each in found}
    return Review(
        base=Commit(reference=redact(request.base), sha=changes.base),
        head=Commit(reference="HEAD", sha=request.head or changes.head),
        uncommitted=changes.uncommitted,
        offline=request.offline,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        stacks=tuple(found),
        untouched=tuple(name for name in names if name not in reviewed),
        changed_files=len(changes.paths),
        missing=_limits() if request.offline and reviewed else (),
    )


def _blind(workspace: Workspace, names: Sequence[str]) -> dict[str, str]:
    """Teams' stacks that nobody can preview who only reads, each with the reason. One whose file cannot be read is
    none: its review says so itself."""
    found = {}
    for name in names:
        try:
            reason = Stack.read(workspace, name).who.settings.agent.no_reader
        except HybridError:
            continue
        if reason is not None and not is_personal(workspace, name):
            found[name] = reason
    return found


def _limits() -> tuple[Missing, ...]:
    from hybrid.review.offline import LIMITS

    return LIMITS


def _below(changes: Changes, workspace: Workspace) -> list[str]:
    """What changed, relative to the checkout; what lies beside it in the repository begins with `..`."""
    root = workspace.root.resolve()
    return [PurePosixPath(os.path.relpath(changes.repository / path, root)).as_posix() for path in changes.paths]


def _ordered(workspace: Workspace) -> list[str]:
    """All stacks: those of the pipeline in its order, then the others by name."""
    names = stack_names(workspace)
    first = [each.stack for each in read_pipeline(workspace).deploy]
    return [*first, *(name for name in names if name not in first)]


def _refuse_strangers(request: Request, names: Sequence[str]) -> None:
    for name in request.stacks:
        if name not in names:
            raise UsageError(
                f"There is no stack '{name}'.",
                why=f"There are: {', '.join(names) or 'none'}.",
                next_step="name one of them.",
            )


def _chosen(request: Request, changed: Sequence[str], names: Sequence[str], base: BaseTree) -> list[Touched]:
    places = [_place(request.workspace, name, base) for name in names]
    by_change = {each.stack: each for each in touched(changed, places)}
    if request.stacks or request.every:
        wanted = names if request.every else [name for name in names if name in request.stacks]
        return [by_change.get(name, Touched(name, (ASKED_FOR,))) for name in wanted]
    return list(by_change.values())


def _place(workspace: Workspace, name: str, base: BaseTree) -> StackPlace:
    """Where a stack's files lie, now and at the base: a location that is gone touches it too. One whose files cannot be
    read is touched by any location: its review says what is wrong."""
    environment = name
    folders: set[str] = set()
    for tree in (workspace, base.workspace):
        try:
            stack = Stack.read(tree, name)
        except HybridError:
            folders.add("locations")
            continue
        if tree is workspace:
            environment = stack.who.settings.environment
        folders |= _folders(stack, tree)
    return StackPlace(name, environment, tuple(sorted(folders)))


def _folders(stack: Stack, workspace: Workspace) -> set[str]:
    root = workspace.root.resolve()
    found = {"locations"} if stack.who.settings.locations is None else set()
    for folder in stack.folders:
        if folder.kind == "folder":
            found |= {_relative(each, root) for each in (folder.folder, folder.build.directory)}
    return found


def _folders_elsewhere(workspace: Workspace, names: Iterable[str]) -> list[str]:
    """Folders of locations that do not lie under `locations/`, so that the base's are laid out too."""
    found: set[str] = set()
    for name in names:
        try:
            found |= _folders(Stack.read(workspace, name), workspace)
        except HybridError:
            continue
    return sorted(each for each in found if not each.startswith(("..", "locations")) and each != ".")


def _relative(path: Path, root: Path) -> str:
    return PurePosixPath(os.path.relpath(path.resolve(), root)).as_posix()


def _removed(changed: Sequence[str], workspace: Workspace) -> list[StackReview]:
    """Stacks whose file the change deletes. What they stood up goes on standing, and nothing manages it any more."""
    found = []
    for path in changed:
        name = stack_of_file(path)
        if name is None or not STACK_NAME.fullmatch(name) or workspace.stack_file(name).exists():
            continue
        why = SettingsError(
            f"The change deletes the file of the stack '{name}'. What it stood up goes on standing and costing.",
            next_step=f"before the file goes: `hybrid down {name}`.",
        )
        missing = Missing(part="preview", why=why.what, next_step=why.next_step)
        found.append(
            StackReview(
                stack=name,
                environment="",
                platform="",
                deployment="",
                touched_by=(path,),
                standing="removed",
                missing=(missing,),
            )
        )
    return found


def _reviewed(
    request: Request,
    chosen: Sequence[Touched],
    blind: Mapping[str, str],
    base: BaseTree,
    pulumi: Callable[[], Pulumi],
    report: Callable[[str], None],
) -> list[StackReview]:
    if not chosen:
        return []
    offline = {each.stack for each in chosen if request.offline or each.stack in blind}
    engine = pulumi() if len(offline) < len(chosen) else None
    orders = [_order(request, each, base, None if each.stack in offline else engine) for each in chosen]
    if len(orders) == 1:
        found = [in_this_process(orders[0], report)]
    else:
        # a program's resources are registered with its process, so each has one of its own
        with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2)) as pool:
            found = list(pool.map(lambda order: in_a_process(order, report), orders))
    return found if request.offline else [_with_reason(each, blind.get(each.stack)) for each in found]


def _with_reason(found: StackReview, reason: str | None) -> StackReview:
    """A review of the program alone says so where the others are more."""
    if reason is None:
        return found
    step = "`hybrid review --secrets` by somebody who may change the stack looks at it."
    why = Missing(part="preview", why=reason, next_step=step)
    limits = (each.model_copy(update={"next_step": None}) for each in _limits())
    return found.model_copy(update={"missing": (why, *limits, *found.missing)})


def _order(request: Request, each: Touched, base: BaseTree, pulumi: Pulumi | None) -> Order:
    withheld = not request.secrets and not is_personal(request.workspace, each.stack)
    return Order(
        root=request.workspace.root,
        stack=each.stack,
        touched_by=each.because,
        base=base.workspace.root,
        base_commit=base.commit,
        pulumi=pulumi,
        policies=request.policies,
        withheld=withheld,
        base_whole=base.whole,
        state=request.state,
    )
