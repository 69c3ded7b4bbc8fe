"""What is laid over a container context so that another one comes out: for any two, either that or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.adopt.overlay import overlay_to, said, same
from hybrid.delivery.environment import merged, without_nulls

pytestmark = pytest.mark.unit

NAMES = st.sampled_from(["A", "B", "C"])
LEAVES = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "a", "b"])
NAMED = st.fixed_dictionaries(
    {},
    optional={
        "env_vars": st.lists(st.builds("{}={}".format, NAMES, NAMES), max_size=3),
        "secrets": st.lists(st.builds(lambda name: {"name": name, "valueFrom": "x"}, NAMES), max_size=3),
        "server_resources": st.dictionaries(NAMES, LEAVES, max_size=3),
        "x": st.recursive(LEAVES, lambda each: st.lists(each, max_size=2) | st.dictionaries(NAMES, each, max_size=2)),
    },
)


@given(NAMED, NAMED)
def test_what_is_laid_over_gives_what_was_wanted(base, wanted):
    over = overlay_to(base, wanted)
    if over is not None:
        assert same(without_nulls(merged(base, over)), wanted)


@given(NAMED)
def test_nothing_is_laid_over_what_says_the_same(context):
    assert overlay_to(context, said(context) or {}) in ({}, None)


def test_only_what_differs_is_said():
    base = {"server_resources": {"cpu": "256", "memory": "512"}, "env_vars": ["A=1"], "gone": 1}
    wanted = {"server_resources": {"cpu": "256", "memory": "1024"}, "env_vars": ["A=1"], "new": "x"}
    assert overlay_to(base, wanted) == {"gone": None, "server_resources": {"memory": "1024"}, "new": "x"}


def test_a_variable_that_only_the_folder_has_cannot_be_taken_away():
    assert overlay_to({"env_vars": ["A=1", "B=2"]}, {"env_vars": ["B=2"]}) is None, "such lists only grow"


def test_another_order_of_variables_cannot_be_said():
    assert overlay_to({"env_vars": ["A=1", "B=2"]}, {"env_vars": ["B=2", "A=1"]}) is None


def test_one_is_not_true():
    assert overlay_to({"x": 1}, {"x": True}) == {"x": True}


def test_a_list_with_a_name_twice_is_in_no_overlay():
    assert overlay_to({}, {"env_vars": ["A=1", "A=2"]}) is None, "a file that says so is refused"
