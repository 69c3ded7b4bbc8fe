"""The rules as they are told: to people, to Pulumi and to each other."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi_policy import EnforcementLevel, ResourceValidationPolicy, StackValidationPolicy
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from policies import pack, reference, rules
from policies.exceptions import Exceptions
from policies.rule import Rule
from policies.run import Run
from policies.subjects import UNKNOWN
from tests.unit.policies.made import found, subject

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.name)
def test_a_rule_says_why_it_is_there_and_what_to_do(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.name), "names are written into exceptions"
    assert rule.reason.endswith("."), "one sentence"
    assert rule.reason[0].isupper(), "one sentence"
    assert rule.todo.endswith("."), "it follows `Next: `"
    assert rule.todo[0].islower(), "it follows `Next: `"
    assert "`" not in rule.name + rule.reason, "messages are shown as plain text and as Markdown"


def test_every_rule_has_a_name_of_its_own() -> None:
    twice = [name for name, count in Counter(rule.name for rule in rules.RULES).items() if count > 1]
    assert not twice, "an exception must mean one rule"


def test_the_page_of_policies_is_what_the_rules_say() -> None:
    page = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    assert page == reference.markdown(), "run `python -m policies.reference > docs/policies.md`"


def test_pulumi_is_told_each_rule_with_its_level() -> None:
    told = {each.name: each for each in pack.policies(Run(Exceptions(())))}
    assert list(told) == [rule.name for rule in rules.RULES], (
        "and the last two last: they tell what the others have left"
    )
    for rule in rules.RULES:
        level = EnforcementLevel.MANDATORY if rule.level == "mandatory" else EnforcementLevel.ADVISORY
        assert told[rule.name].enforcement_level is level, f"{rule.name} is {rule.level}"
    single = [rule.name for rule in rules.RESOURCE_RULES]
    assert [name for name, each in told.items() if isinstance(each, ResourceValidationPolicy)] == single
    assert [name for name, each in told.items() if isinstance(each, StackValidationPolicy)][:-2] == [
        rule.name for rule in rules.STACK_RULES
    ]


def test_what_the_engine_sends_is_made_plain() -> None:
    sent = {"a": [1, {"b": UNKNOWN_STRING_VALUE}], "c": UNKNOWN_STRING_VALUE, "d": None, "e": "text", "f": True}
    plain = pack._plain(unknown_checking_proxy(sent))
    assert plain == {"a": [1, {"b": UNKNOWN}], "c": UNKNOWN, "d": None, "e": "text", "f": True}, (
        "the library's own values raise an error as soon as one is looked at that is not known"
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=6) | st.just(UNKNOWN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
JUDGED = [(rule, kind, key) for rule in rules.RESOURCE_RULES for kind, keys in rule.judges.items() for key in keys]


@given(st.sampled_from(JUDGED), VALUES)
def test_no_property_of_any_shape_breaks_a_rule(judged: Any, value: Any) -> None:
    rule, kind, key = judged
    found(rule, subject("aws:ec2/vpc:Vpc" if kind == "*" else kind, **{key: value}))


@given(
    st.sampled_from(["bucket", "versioning", "versioningConfiguration", "lifecycleRules"]),
    VALUES,
    st.sampled_from(rules.STACK_RULES),
)
def test_no_bucket_of_any_shape_breaks_a_rule(key: str, value: Any, rule: Any) -> None:
    parts = ["Bucket", "BucketVersioning", "BucketPublicAccessBlock", "BucketLifecycleConfiguration"]
    stack = [subject(f"aws:s3/{part[0].lower()}{part[1:]}:{part}", **{key: value}) for part in parts]
    list(rule.check(stack))
