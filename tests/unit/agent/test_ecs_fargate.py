"""Fargate's table of sizes, and the sentences about sizes that are not in it. The table is AWS's page of November 2026;
that AWS has not changed it since only AWS can say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hybrid.aws.fargate import MEMORY, size_problem, text_size_problem

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("cpu", "least", "most", "count"),
    [
        (256, 512, 2048, 3),
        (512, 1024, 4096, 4),
        (1024, 2048, 8192, 7),
        (2048, 4096, 16384, 13),
        (4096, 8192, 30720, 23),
        (8192, 16384, 61440, 12),
        (16384, 32768, 122880, 12),
    ],
)
def test_each_row_has_the_ends_and_the_number_of_steps_of_the_page(cpu, least, most, count):
    assert (MEMORY[cpu][0], MEMORY[cpu][-1], len(MEMORY[cpu])) == (least, most, count)


@given(cpu=some.integers(1, 20_000), memory=some.integers(1, 130_000))
def test_every_refusal_names_a_size_that_is_taken(cpu, memory):
    problem = size_problem(cpu, memory)
    if problem is None:
        assert memory in MEMORY[cpu]
    elif cpu in MEMORY:
        assert any(str(size) in problem for size in MEMORY[cpu]), "a refusal must show a way on"
    else:
        assert any(str(units) in problem for units in MEMORY)


def test_a_pair_that_does_not_go_together_is_answered_from_both_sides():
    problem = size_problem(256, 4096)
    assert problem is not None
    assert "nearest are 2048 MiB" in problem
    assert "4096 MiB go with 512, 1024 or 2048 units" in problem


def test_between_two_sizes_both_are_named():
    assert "4096 or 5120 MiB" in (size_problem(1024, 4500) or "")
    assert "256 or 512" in (size_problem(300, 1024) or "")


@pytest.mark.parametrize(("cpu", "memory"), [("1 vCPU", "2048"), ("1024", "2 GB"), ("١٠٢٤", "2048"), ("-256", "512")])
def test_words_of_the_console_are_no_sizes_for_the_agent(cpu, memory):
    assert "digits alone" in (text_size_problem(cpu, memory) or ""), "dagster-aws makes a number of them, and fails"


def test_texts_of_a_size_that_there_is_are_right():
    assert text_size_problem("1024", "2048") is None
