"""Documents of IAM read into statements, from the JSON that resources hold. They are somebody else's text: what cannot
be read is an error, never a document that grants nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policies.subjects import Subject, Unknown, listed, mapping, texts

IDENTITY: Final[Mapping[str, tuple[str, ...]]] = {
    "aws:iam/groupPolicy:GroupPolicy": ("policy",),
    "aws:iam/policy:Policy": ("policy",),
    "aws:iam/role:Role": ("inlinePolicies",),
    "aws:iam/rolePolicy:RolePolicy": ("policy",),
    "aws:iam/userPolicy:UserPolicy": ("policy",),
}
"""What grants rights to a role, user or group, by type the properties with the documents."""

TRUST: Final[Mapping[str, tuple[str, ...]]] = {"aws:iam/role:Role": ("assumeRolePolicy",)}

OF_RESOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    "aws:ecr/registryPolicy:RegistryPolicy": ("policy",),
    "aws:ecr/repositoryPolicy:RepositoryPolicy": ("policy",),
    "aws:efs/fileSystemPolicy:FileSystemPolicy": ("policy",),
    "aws:kms/key:Key": ("policy",),
    "aws:kms/keyPolicy:KeyPolicy": ("policy",),
    "aws:s3/bucket:Bucket": ("policy",),
    "aws:s3/bucketPolicy:BucketPolicy": ("policy",),
    "aws:secretsmanager/secret:Secret": ("policy",),
    "aws:secretsmanager/secretPolicy:SecretPolicy": ("policy",),
    "aws:sns/topic:Topic": ("policy",),
    "aws:sns/topicPolicy:TopicPolicy": ("policy",),
    "aws:sqs/queue:Queue": ("policy",),
    "aws:sqs/queuePolicy:QueuePolicy": ("policy",),
}
"""What a resource lets others do to it. Endpoints of a VPC are not among them: theirs narrows what is granted
elsewhere, and grants nothing."""

_POSITIVE: Final = frozenset(
    {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"}
)
_SID: Final = re.compile(r"[A-Za-z0-9 ]{1,100}")


class UnreadablePolicyError(ValueError):
    """A document that is not one of IAM's."""


@dataclass(frozen=True)
class Statement:
    """One statement. Lists are empty where the document has none of it."""

    label: str
    """For people: its Sid, or its number."""
    allows: bool
    actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    principals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By kind (``AWS``, ``Service``, ``Federated``); ``Principal: *`` is ``{"AWS": ("*",)}``, which is the same."""
    conditions: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """By operator, then by key, both in small letters: to IAM their case says nothing."""
    inverted: tuple[str, ...] = ()
    """Which of NotAction, NotResource and NotPrincipal it has."""


def granted(subject: Subject, where: Mapping[str, tuple[str, ...]]) -> tuple[Statement, ...]:
    """The statements that allow something, in the properties of ``subject`` that ``where`` names for its kind.

    Raises ``UnreadablePolicyError``.
    """
    documents = [subject.properties.get(key) for key in where.get(subject.kind, ())]
    return tuple(statement for document in documents for statement in _statements(document) if statement.allows)


def required(statement: Statement) -> Mapping[str, tuple[str, ...]]:
    """The condition keys that have to be there with one of these values, for the statement to allow anything. Not
    among them: what is denied, and operators that also hold where the key is missing."""
    found: dict[str, tuple[str, ...]] = {}
    for operator, keys in statement.conditions.items():
        if operator.removeprefix("foranyvalue:") in _POSITIVE:
            found.update(keys)
    return found


def _statements(document: Any) -> Iterator[Statement]:
    """Also of a list of inline policies, each with a ``policy`` of its own."""
    if document is None or isinstance(document, Unknown) or document == "":
        return
    if isinstance(document, list):
        for inline in document:
            yield from _statements(mapping(inline).get("policy"))
        return
    read = _parsed(document) if isinstance(document, str) else document
    if not isinstance(read, Mapping):
        raise UnreadablePolicyError("it is not an object of JSON")
    keys = _lowered(read)
    for number, statement in enumerate(listed(keys.get("statement")), start=1):
        yield _statement(number, statement)


def _statement(number: int, said: Any) -> Statement:
    if not isinstance(said, Mapping):
        raise UnreadablePolicyError(f"its statement {number} is not an object")
    keys = _lowered(said)
    sid = keys.get("sid")
    effect = keys.get("effect")
    if effect not in ("Allow", "Deny"):
        raise UnreadablePolicyError(f"its statement {number} neither allows nor denies")
    return Statement(
        label=f"statement {sid}" if isinstance(sid, str) and _SID.fullmatch(sid) else f"statement {number}",
        allows=effect == "Allow",
        actions=texts(keys.get("action")),
        resources=texts(keys.get("resource")),
        principals=_principals(keys.get("principal")),
        conditions=_conditions(keys.get("condition")),
        inverted=tuple(name for name in ("NotAction", "NotResource", "NotPrincipal") if name.lower() in keys),
    )


def _principals(said: Any) -> Mapping[str, tuple[str, ...]]:
    if isinstance(said, Mapping):
        return {str(kind): texts(who) for kind, who in said.items()}
    return {"AWS": texts(said)} if texts(said) else {}


def _conditions(said: Any) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    return {
        str(operator).lower(): {
            str(key).lower(): tuple(map(str, listed(value))) for key, value in mapping(keys).items()
        }
        for operator, keys in mapping(said).items()
    }


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, UnreadablePolicyError) else "it is not JSON"
        raise UnreadablePolicyError(why) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key that is said twice, readers take different ones: then nobody knows what is granted."""
    found = dict(pairs)
    if len({key.lower() for key in found}) != len(pairs):
        raise UnreadablePolicyError("it says a key twice")
    return found


def _lowered(said: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key).lower(): value for key, value in said.items()}
