"""A branch deployment's locations brought to what the stack serves: sent, left, or removed. Only through a claim, which
looks before each write what it writes to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hybrid.delivery.difference import key_changes

if TYPE_CHECKING:
    from hybrid.pipeline.claim import Claim
    from hybrid.pipeline.sent_code import SentCode
    from hybrid.plus import PlusClient

Origin = Literal["built", "present", "base", "elsewhere", "folder"]
"""Where what a location runs comes from: an image just built and pushed; one that the registry had, by its content;
the base deployment's own, since the change does not touch the location; one that is built elsewhere; or its folder."""


@dataclass(frozen=True)
class Wanted:
    """What one location is to run in the branch deployment."""

    name: str
    document: Mapping[str, Any]
    """As Dagster+ takes it."""
    origin: Origin
    image: str | None = None
    """By digest. None: it runs from its folder."""
    content: str | None = None
    """Names the code behind a document that does not change with it; None: the document says it all."""


@dataclass(frozen=True)
class Written:
    """Names of locations, by what was done."""

    sent: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def is_sent(wanted: Wanted, present: Mapping[str, Any] | None, known_content: str | None) -> bool:
    """Whether Dagster+ has this document, and this code behind it."""
    if present is None or key_changes(present, wanted.document):
        return False
    return wanted.content is None or wanted.content == known_content


def write_locations(
    claim: Claim,
    branch: PlusClient,
    wanted: Collection[Wanted],
    code: SentCode,
    say: Callable[[str], None],
) -> Written:
    """Send what differs, and take out what the stack has no more. What is as it should be is not sent: each sending
    makes agents load the location again. One that failed to load is sent once more, which is what somebody wants who
    runs this again.

    ``branch`` is a client of the branch deployment. Raises ``SupersededError`` as soon as a newer commit is there.
    """
    if branch.endpoint.deployment != claim.name:
        raise ValueError("the client is of another deployment than the claim")
    present = branch.location_documents()
    failed = {status.name for status in branch.code_locations() if status.has_failed(None)}
    sent, unchanged = [], []
    for each in wanted:
        if is_sent(each, present.get(each.name), code.of(each.name)) and each.name not in failed:
            unchanged.append(each.name)
            continue
        claim.look()
        code.note(each.name, None)  # killed between here and the next note, it is sent again
        branch.put_location({**each.document, "location_name": each.name})
        code.note(each.name, each.content)
        sent.append(each.name)
        say(f"sent {each.name}")
    removed = sorted(present.keys() - {each.name for each in wanted})
    for name in removed:
        claim.look()
        branch.delete_location(name)
        code.note(name, None)
        say(f"removed {name}, which the stack has no more")
    return Written(tuple(sent), tuple(unchanged), tuple(removed))
