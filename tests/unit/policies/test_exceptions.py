"""The team's exceptions: what they let pass, which cannot be, and what is said of those that nothing needs."""

from __future__ import annotations

from typing import Any

import pytest

from hybrid.errors import SettingsError
from policies import retention, rules
from policies.exceptions import Exceptions, checked
from policies.run import Run
from policies.subjects import UNKNOWN, Subject
from stacks.policy_exceptions import EXCEPTIONS, Allowed
from tests.unit.policies.made import subject

pytestmark = pytest.mark.unit

NAMES = [rule.name for rule in rules.ALLOWABLE]
LOGS = "aws:cloudwatch/logGroup:LogGroup"
BECAUSE = "Somebody has thought about it."


def run_with(*allowed: Allowed) -> Run:
    return Run(Exceptions(checked(allowed, NAMES)))


def messages(run: Run, *subjects: Subject) -> list[str]:
    told = []
    for each in subjects:
        run.see(each)
        told += [finding.message for finding in run.resource(retention.LOGS, each.urn)]
    return told


def stale(run: Run) -> list[str]:
    return [finding.message for finding in run.stale(rules.STALE)]


def test_the_team_s_own_file_is_one_that_can_be() -> None:
    assert checked(EXCEPTIONS, NAMES) == EXCEPTIONS, "or no stack could be previewed"


@pytest.mark.parametrize("resource", [f"{LOGS}::old", f"{LOGS}::o*", f"{LOGS}::?ld", "aws:cloudwatch/*::old"])
def test_an_exception_lets_its_resource_pass_and_no_other(resource: str) -> None:
    run = run_with(Allowed("log-retention", resource, BECAUSE))
    assert messages(run, subject(LOGS, "old")) == []
    assert len(messages(run, subject(LOGS, "new"))) == 1, "it is about one of them"
    assert stale(run) == [], "it was of use"


def test_an_exception_from_one_rule_is_none_from_another() -> None:
    run = run_with(Allowed("stack-tag", f"{LOGS}::old", BECAUSE))
    assert len(messages(run, subject(LOGS, "old"))) == 1


def test_an_exception_for_another_stack_is_neither_applied_nor_stale() -> None:
    run = run_with(Allowed("log-retention", f"{LOGS}::old", BECAUSE, stack="dev-*"))
    assert len(messages(run, subject(LOGS, "old"))) == 1, "this is the stack prod"
    assert stale(run) == [], "the stack that it is for may need it"


def test_an_exception_that_lets_nothing_pass_is_said() -> None:
    run = run_with(Allowed("log-retention", f"{LOGS}::gone", BECAUSE))
    messages(run, subject(LOGS, "other"))
    assert len(stale(run)) == 1, "the next mistake of this kind would pass unseen"
    assert f"{LOGS}::gone" in stale(run)[0], "which one must be said"


def test_an_exception_for_what_is_not_known_yet_is_not_called_stale() -> None:
    run = run_with(Allowed("log-retention", f"{LOGS}::old", BECAUSE))
    assert messages(run, subject(LOGS, "old", retentionInDays=UNKNOWN)) == []
    assert stale(run) == [], "the update may need it"


@pytest.mark.parametrize(
    ("allowed", "says"),
    [
        (Allowed("no-such-rule", f"{LOGS}::x", BECAUSE), "'no-such-rule' is no rule"),
        (Allowed("stale-exception", f"{LOGS}::x", BECAUSE), "'stale-exception' is no rule"),
        (Allowed("log-retention", f"{LOGS}::x", ""), "`because` says nothing"),
        (Allowed("log-retention", f"{LOGS}::x", "  \n ok"), "`because` says nothing"),
        (Allowed("log-retention", "*", BECAUSE), "does not say a type and a name"),
        (Allowed("log-retention", "*::*", BECAUSE), "does not say a type and a name"),
        (Allowed("log-retention", "[?*]::x", BECAUSE), "does not say a type and a name"),
        (Allowed("log-retention", LOGS, BECAUSE), "does not say a type and a name"),
        (Allowed("log-retention", f"{LOGS}::", BECAUSE), "does not say a type and a name"),
        (Allowed("log-retention", None, BECAUSE), "are texts"),  # type: ignore[arg-type]
    ],
)
def test_an_exception_that_cannot_be_ends_the_pack(allowed: Allowed, says: str) -> None:
    good = Allowed("log-retention", f"{LOGS}::x", BECAUSE)
    with pytest.raises(SettingsError) as refused:
        checked((good, allowed), NAMES)
    assert says in str(refused.value)
    assert "2. " in str(refused.value), "which of them must be said"
    assert "stacks/policy_exceptions.py" in str(refused.value), "and where to mend it"


@pytest.mark.parametrize("said", [None, "x", [("log-retention", "x::y", "z")], {"a": 1}])
def test_something_else_than_exceptions_ends_the_pack(said: Any) -> None:
    with pytest.raises(SettingsError, match=r"no tuple of Allowed"):
        checked(said, NAMES)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        checked((Allowed("a", f"{LOGS}::x", BECAUSE), Allowed("b", f"{LOGS}::x", BECAUSE)), NAMES)
    assert "'a' is no rule" in str(refused.value)
    assert "'b' is no rule" in str(refused.value), "not one a run"
