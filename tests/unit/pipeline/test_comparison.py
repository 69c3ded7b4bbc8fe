"""What counts as reviewed: sets of actions against each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.pipeline.comparison import acceptance, compare
from hybrid.review.actions import Actions

pytestmark = pytest.mark.unit

said = Actions.saying


def test_the_same_actions_are_reviewed() -> None:
    verdict = compare(said(["create A a", "update B b"]), [said(["update B b", "create A a"])])
    assert (verdict.is_reviewed, verdict.further, verdict.absent) == (True, (), ())


@pytest.mark.parametrize(
    "further",
    [
        "delete Bucket data",
        "replace TaskDefinition agent-task",
        "update LocationImage hello-image",
        "create Repository hello-images",
        "restart TaskDefinition agent-task",
        "keep Bucket data",
        "grant RolePolicy agent: Allow s3:* on *",
    ],
)
def test_one_action_that_nobody_read_stops(further: str) -> None:
    verdict = compare(said(["create A a", further]), [said(["create A a"])])
    assert verdict.further == (further,), "it is named"
    assert not verdict.is_reviewed


def test_fewer_actions_than_reviewed_go_on_and_are_named() -> None:
    verdict = compare(said(["update B b"]), [said(["create A a", "update B b"])])
    assert verdict.is_reviewed, "what an interrupted deploy has done already is not in the way of the next one"
    assert verdict.absent == ("create A a",)


def test_what_two_pull_requests_do_was_read_in_two_comments() -> None:
    present = said(["create A a", "update B b"])
    assert compare(present, [said(["create A a"]), said(["update B b"])]).is_reviewed
    assert compare(present, [said(["create A a"])]).further == ("update B b",)


@pytest.mark.parametrize(
    ("present", "reviewed", "is_reviewed"),
    [
        ("update CodeLocation hello-location", "create CodeLocation hello-location", True),
        ("update Service s", "replace Service s", True),
        ("create Service s", "replace Service s", True),
        ("restart Process agent-process", "create Process agent-process", True),
        ("discard Bucket b", "delete Bucket b", True),
        ("delete Bucket b", "replace Bucket b", False),
        ("replace Bucket b", "create Bucket b", False),
        ("replace Bucket b", "update Bucket b", False),
        ("delete Bucket b", "update Bucket b", False),
        ("delete Bucket b", "discard Bucket b", False),
        ("create Bucket b", "update Bucket b", False),
        ("restart Service s", "update Service s", False),
        ("update Bucket other", "create Bucket b", False),
    ],
)
def test_the_end_of_what_was_begun_is_covered_and_never_a_deletion_or_replacement(
    present: str, reviewed: str, is_reviewed: bool
) -> None:
    assert compare(said([present]), [said([reviewed])]).is_reviewed == is_reviewed


def test_looks_change_nothing_of_anybody_s_and_need_no_review() -> None:
    looks = [
        "update AgentReady ready",
        "create LocationCheck hello-check",
        "update EcsServiceState agent-state",
        "read X y",
    ]
    assert compare(said([*looks, "update B b"]), [said(["update B b"])]).is_reviewed
    assert not compare(said(["delete AgentReady ready"]), [said([])]).is_reviewed, "that one goes is a change"
    assert not compare(said(["update AgentReadyX ready"]), [said([])]).is_reviewed, "another kind is another thing"


def test_a_review_that_was_too_large_counts_by_its_digest_alone() -> None:
    present = said(["create A a"])
    assert compare(present, [Actions(present.digest, None)]).is_reviewed
    other = compare(present, [Actions("f" * 64, None)])
    assert not other.is_reviewed
    assert not other.is_certain, "it may have been in there; nobody can tell"


def test_without_any_review_nothing_is_reviewed() -> None:
    assert compare(said(["create A a"]), []).further == ("create A a",)


def test_an_acceptance_is_for_one_stack_and_one_set() -> None:
    once = acceptance("prod", said(["create A a"]))
    assert once == acceptance("prod", said(["create A a"])), "the next run prints the same"
    assert once != acceptance("staging", said(["create A a"])), "what was accepted on one stack is not on another"
    assert once != acceptance("prod", said(["create A a", "delete B b"])), "one action more is another set"
    looks = ["update AgentReady ready", "create LocationCheck a-check"]
    assert once == acceptance("prod", said(["create A a", *looks])), "a task that ECS started again changes nothing"
    assert once != acceptance("prod", said(["create A a", "delete AgentReady ready"]))


SENTENCES = st.sets(
    st.builds(
        "{} {} {}".format,
        st.sampled_from(["create", "update", "replace", "delete", "restart", "keep"]),
        st.sampled_from(["Bucket", "AgentReady", "Service"]),
        st.sampled_from(["a", "b"]),
    )
)


@given(present=SENTENCES, reviewed=st.lists(SENTENCES, max_size=3))
def test_a_deletion_or_replacement_that_was_not_reviewed_never_passes(
    present: set[str], reviewed: list[set[str]]
) -> None:
    verdict = compare(said(present), [said(each) for each in reviewed])
    read = set().union(*reviewed)
    grave = {each for each in present - read if each.startswith(("delete", "replace", "keep"))}
    assert grave <= set(verdict.further), "whatever else was reviewed"
    assert set(verdict.further) <= present - read, "only what is about to be done, and was not read, is called further"
