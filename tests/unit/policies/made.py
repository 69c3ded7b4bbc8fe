"""Resources as rules are given them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from policies.rule import ResourceRule, StackRule
from policies.subjects import Subject


def subject(kind: str, name: str = "it", /, **properties: Any) -> Subject:
    """``kind`` is Pulumi's token."""
    return Subject(kind, name, f"urn:pulumi:prod::hybrid::{kind}::{name}", properties)


def role_policy(*statements: Mapping[str, Any]) -> Subject:
    return subject("aws:iam/rolePolicy:RolePolicy", policy=document(*statements))


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | Sequence[str], resource: Any = "arn:aws:s3:::one", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def found(rule: ResourceRule, *subjects: Subject) -> list[str]:
    """What the rule says of resources that it is about; none of these may be of a type that it does not know."""
    for each in subjects:
        assert rule.applies_to(each), f"{rule.name} must know {each.type}, or the engine would never ask it"
    return [what for each in subjects for what in rule.check(each)]


def found_together(rule: StackRule, *stack: Subject) -> list[str]:
    return [what for _, what in rule.check(stack)]
