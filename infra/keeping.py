"""What is kept when a stack is destroyed, and how the next one of the same name takes it up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi

from hybrid.errors import SettingsError

OnDestroy = Literal["keep", "remove-if-empty", "remove"]
"""``keep``: the thing stays in AWS and only leaves Pulumi's state. ``remove-if-empty``: AWS refuses while there is
something in it, and so the destroy ends with that error. ``remove``: with all that is in it. The engine goes by what
the last ``up`` wrote into the state: a changed answer needs an ``up`` before the destroy."""


@dataclass(frozen=True)
class Adoption:
    """A thing that stands already and is this stack's: Pulumi imports it instead of making it.

    It may be given at every ``up``: for a thing that is in the state under this id, the engine has nothing to import.
    """

    id: str
    """What the provider imports by: the name of a bucket, repository or log group, the ARN of a secret."""
    leave_tags: bool = False
    """Take the tags as they are, this once: an import fails when an input differs from what stands. For a stack that
    is stood up again with other tags than it was destroyed with; the ``up`` after it puts them right."""


@dataclass(frozen=True)
class Standing:
    """A thing of a wanted name that is in this account already."""

    name: str
    tags: Mapping[str, str]
    empty: bool = False
    id: str = ""
    """What the provider imports by, when that is not the name."""


def adoption(
    what: str,
    found: Standing | None,
    tags: Mapping[str, str],
    owner_tag: str,
    *,
    stack_stands: bool = True,
) -> Adoption | None:
    """How to take up ``found``, or None where there is nothing.

    ``what``: for people, as in "bucket". ``tags``: those that the stack puts on everything, among them ``owner_tag``,
    by which a thing of its own is known. ``stack_stands``: whether anything else of the stack is in AWS; if not, this
    is a stack stood up again.

    Raises ``SettingsError`` for a thing that does not carry the stack's tag.
    """
    if found is None:
        return None
    owner = found.tags.get(owner_tag)
    if owner == tags[owner_tag]:
        return Adoption(found.id or found.name, leave_tags=not stack_stands)
    raise SettingsError(
        f"The {what} {found.name} is in this account already, and it is not this stack's.",
        why=f"Its tag {owner_tag} is {owner!r}; this stack's is {tags[owner_tag]!r}."
        if owner is not None
        else f"It does not carry the tag {owner_tag}={tags[owner_tag]} that this stack puts on everything.",
        next_step=_way_out(what, found, owner, tags),
    )


def _way_out(what: str, found: Standing, owner: str | None, tags: Mapping[str, str]) -> str:
    if owner is None and found.empty:
        return f"It is empty, as an interrupted `up` leaves it: delete the {what}, and run the command again."
    wanted = ", ".join(f"{key}={value}" for key, value in sorted(tags.items()))
    return (
        "Give the stack another name (`hybrid:aws` → `name`); or, if this stack shall own it from now on, give it the "
        f"tags {wanted} and run the command again."
    )


def kept(
    parent: pulumi.Resource,
    on_destroy: OnDestroy,
    adopted: Adoption | None = None,
    *,
    depends_on: list[pulumi.Resource] | None = None,
) -> pulumi.ResourceOptions:
    """Options of a thing, or of a part of one, that stays with ``keep``.

    Parts are kept with it, or a destroy would leave the data without its encryption, its policy and its lifecycle.
    """
    return pulumi.ResourceOptions(
        parent=parent,
        retain_on_delete=on_destroy == "keep",
        import_=adopted.id if adopted else None,
        ignore_changes=["tags", "tagsAll"] if adopted and adopted.leave_tags else None,
        depends_on=depends_on,
    )
