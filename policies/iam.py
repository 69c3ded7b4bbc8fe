"""Rules about rights: no wildcard that grants what nobody has looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from policies.policy_documents import (
    IDENTITY,
    OF_RESOURCES,
    TRUST,
    Statement,
    UnreadablePolicyError,
    granted,
    required,
)
from policies.rule import ResourceRule
from policies.subjects import Subject, texts

TABLE: Final = Path(__file__).parent / "actions_without_resource.txt"
"""Made by ``python -m policies.tables actions``: a service a line, with its actions that take no resource."""


@dataclass(frozen=True)
class NarrowedOtherwise:
    """An action that AWS's reference lists with a resource, and that is right on all of them all the same."""

    action: str
    condition: str | None
    """The condition key that has to narrow it instead, in small letters; None: nothing can."""
    because: str


NARROWED_OTHERWISE: Final = (
    NarrowedOtherwise(
        "ecs:ListTasks",
        "ecs:cluster",
        "Its only resource is a container instance, which tasks on Fargate have none of; the cluster is a condition.",
    ),
    NarrowedOtherwise(
        "servicediscovery:GetOperation",
        None,
        "The id of an operation tells neither its namespace nor its service, so that none can be named beforehand.",
    ),
)

_ATTACHED: Final[Mapping[str, tuple[str, ...]]] = {
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment": ("policyArn",),
    "aws:iam/policyAttachment:PolicyAttachment": ("policyArn",),
    "aws:iam/role:Role": ("managedPolicyArns",),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": ("policyArn",),
    "aws:iam/userPolicyAttachment:UserPolicyAttachment": ("policyArn",),
}
_KEY_POLICIES: Final = frozenset({"aws:kms/key:Key", "aws:kms/keyPolicy:KeyPolicy"})
_ACCOUNT_ITSELF: Final = re.compile(r"arn:aws[\w-]*:iam::\d{12}:root|\d{12}")
# AWS's own policies that grant all of a service, or of AWS, by their names.
_FULL: Final = re.compile(r"arn:aws[\w-]*:iam::aws:policy/(?:.*/)?(AdministratorAccess|PowerUserAccess|\w*FullAccess)")


def _joined(*parts: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for kind, keys in part.items():
            found[kind] = (*found.get(kind, ()), *keys)
    return found


_DOCUMENTS: Final = _joined(IDENTITY, TRUST, OF_RESOURCES)


def _star_actions(subject: Subject) -> Iterator[str]:
    for arn in (arn for key in _ATTACHED.get(subject.kind, ()) for arn in texts(subject.properties.get(key))):
        if found := _FULL.fullmatch(arn):
            yield f"{subject} attaches AWS's own policy {found[1]}, which grants all actions of a service, or of AWS."
    try:
        for statement in granted(subject, _DOCUMENTS):
            stars = [action for action in statement.actions if _is_all_of_a_service(action)]
            if stars and not _is_default_key_policy(subject, statement):
                yield f"{subject} allows {_quoted(stars)} in its {statement.label}."
    except UnreadablePolicyError as error:
        yield f"{subject} has a policy that cannot be read, so nobody knows what it grants: {error}."


def _star_resources(subject: Subject) -> Iterator[str]:
    for statement in _readable(subject, IDENTITY):
        if not any(map(_is_everything, statement.resources)):
            continue
        narrow = [action for action in statement.actions if _could_be_narrowed(action, statement)]
        if narrow:
            yield f"{subject} allows {_quoted(narrow)} on every resource in its {statement.label}."


def _inverted(subject: Subject) -> Iterator[str]:
    for statement in _readable(subject, _DOCUMENTS):
        if statement.inverted:
            yield f"{subject} allows by {' and '.join(statement.inverted)} in its {statement.label}."


def _readable(subject: Subject, where: Mapping[str, tuple[str, ...]]) -> tuple[Statement, ...]:
    """Nothing of a document that cannot be read: ``iam-star-actions`` says that it cannot."""
    try:
        return granted(subject, where)
    except UnreadablePolicyError:
        return ()


def _is_all_of_a_service(action: str) -> bool:
    service, _, name = action.partition(":")
    return not (name or service).strip("*?") or not service.strip("*?")


def _is_default_key_policy(subject: Subject, statement: Statement) -> bool:
    """The account itself on its own key, without which nobody could ever change the key's policy
    (https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html)."""
    who = [each for names in statement.principals.values() for each in names]
    return subject.kind in _KEY_POLICIES and bool(who) and all(map(_ACCOUNT_ITSELF.fullmatch, who))


def _is_everything(resource: str) -> bool:
    """``*``, and an ARN whose last part is nothing but wildcards, such as all buckets."""
    last = resource.split(":", 5)[-1] if resource.count(":") >= 5 else resource
    return not last.strip("*?/:")


def _could_be_narrowed(action: str, statement: Statement) -> bool:
    """Not where AWS takes no resource, nor where a condition says which resources by their tags. An action that is a
    pattern counts as one that could: its actions have to be named."""
    fences = required(statement)
    if any("resourcetag/" in key and all(value.strip("*?") for value in values) for key, values in fences.items()):
        return False
    service, _, name = action.lower().partition(":")
    if name in _without_resource().get(service, frozenset()):
        return False
    other = next((each for each in NARROWED_OTHERWISE if each.action.lower() == action.lower()), None)
    return other is None or (other.condition is not None and other.condition not in fences)


@lru_cache(maxsize=1)
def _without_resource() -> Mapping[str, frozenset[str]]:
    """Read when the first wildcard is seen: most stacks need a few lines of it."""
    found = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        service, _, actions = line.partition(": ")
        if not line.startswith("#"):
            found[service] = frozenset(actions.lower().split())
    return found


def _quoted(actions: list[str]) -> str:
    shown = ", ".join(f"`{action[:100]}`" for action in actions[:5])
    return f"{shown} and {len(actions) - 5} more" if len(actions) > 5 else shown


STAR_ACTIONS: Final = ResourceRule(
    name="iam-star-actions",
    level="mandatory",
    reason="A wildcard over a whole service also grants what AWS adds to it tomorrow.",
    todo="name the actions that are called; docs/iam.md shows how the stack's own roles do.",
    looks_at="Policies of roles, users, groups and resources, and attached policies of AWS's own: `*`, `service:*`, "
    "`AdministratorAccess`, `PowerUserAccess`, `…FullAccess`. A policy that cannot be read is refused too. `kms:*` for "
    "the account itself on its own key passes: without it nobody could change the key's policy.",
    judges=_joined(_ATTACHED, _DOCUMENTS),
    check=_star_actions,
)

STAR_RESOURCES: Final = ResourceRule(
    name="iam-star-resources",
    level="mandatory",
    reason="A right on every resource of an account reaches what other teams and other stacks have there.",
    todo="name the resources by ARN, or add a condition on their tags (`aws:ResourceTag/…`).",
    looks_at="Policies of roles, users and groups: `*`, and ARNs whose last part is only wildcards. Actions for which "
    "AWS takes no resource pass, by AWS's own Service Authorization Reference "
    "(`policies/actions_without_resource.txt`), and so do "
    + "; ".join(
        f"`{each.action}`{f' with a condition on `{each.condition}`' if each.condition else ''}: "
        f"{each.because[0].lower()}{each.because[1:-1]}"
        for each in NARROWED_OTHERWISE
    )
    + ". An action with a wildcard in it does not pass.",
    judges=IDENTITY,
    check=_star_resources,
)

INVERTED: Final = ResourceRule(
    name="iam-not-action",
    level="mandatory",
    reason="What is allowed by naming the exceptions grants all the rest, of every service there will ever be.",
    todo="write the statement with Action, Resource and Principal; NotAction and its like are for Deny.",
    looks_at="Statements that allow with NotAction, NotResource or NotPrincipal, in policies of roles, users, groups "
    "and resources, and in who may take a role.",
    judges=_DOCUMENTS,
    check=_inverted,
)
