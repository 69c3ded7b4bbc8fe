"""Names within AWS's limits, for whatever a stack, a location or a settings file calls itself. The limits are those
that AWS documents; that AWS agrees is seen only there."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.ecs_names import EcsNames
from infra.bucket import refuse_bad_name
from infra.names import shortened

pytestmark = pytest.mark.unit

TEXT = st.text(alphabet=st.sampled_from("abcXYZ019-_./"), min_size=1, max_size=600)
LIMITS = st.integers(min_value=10, max_value=512)
STACKS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", fullmatch=True)  # what Pulumi takes
PARTS = st.from_regex(r"[a-z][a-z0-9]*([_-][a-z0-9]+){0,60}", fullmatch=True)  # locations
BASES = st.from_regex(r"[a-z][a-z0-9]*(-[a-z0-9]+){0,8}", fullmatch=True).filter(lambda base: len(base) <= 40)


@given(TEXT, LIMITS)
def test_a_name_is_never_longer_than_its_limit_and_a_short_one_stays(name: str, limit: int) -> None:
    made = shortened(name, limit)
    assert len(made) <= limit
    assert made == shortened(name, limit), "the same each time"
    if len(name) <= limit:
        assert made == name


@given(TEXT, TEXT, LIMITS)
def test_two_names_stay_two(one: str, other: str, limit: int) -> None:
    assume(one != other)
    assert shortened(one, limit) != shortened(other, limit)


@given(st.text(alphabet="ab", min_size=100, max_size=100), st.text(alphabet="ab", min_size=1, max_size=40), LIMITS)
def test_names_with_one_beginning_stay_apart(beginning: str, rest: str, limit: int) -> None:
    assume(limit < 100)
    assert shortened(beginning, limit) != shortened(beginning + rest, limit)


@given(STACKS, st.sampled_from(["eu-west-1", "ap-southeast-5", "us-gov-east-1", "cn-northwest-1"]))
def test_every_name_of_a_stack_is_one_that_aws_takes(stack: str, region: str) -> None:
    names = EcsNames.of(stack, "123456789012", region)
    held(names)
    assert re.fullmatch(r"[a-z0-9-]{1,40}", names.base)


@given(BASES)
def test_every_name_from_a_name_of_the_settings_is_one_that_aws_takes(base: str) -> None:
    held(EcsNames.of("prod", "123456789012", "eu-central-1", base))


def held(names: EcsNames) -> None:
    refuse_bad_name(names.bucket)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,255}", names.cluster)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,255}", names.service)
    assert len(names.namespace) <= 1024
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label) for label in names.namespace.split("."))
    assert len(names.server_prefix) <= 16, "dagster_cloud/workspace/ecs/launcher.py"
    assert len(names.run_prefix) <= 16
    assert names.server_prefix != names.run_prefix
    assert re.fullmatch(r"[A-Za-z0-9._/#-]{1,512}", names.agent_log_group)
    assert names.agent_log_group != names.code_log_group
    assert re.fullmatch(r"[A-Za-z0-9/_+=.@-]{1,512}", names.token_secret)
    assert not re.search(r"-[A-Za-z0-9]{6}$", names.token_secret), "AWS advises against names that end as ARNs do"


@given(BASES, PARTS)
def test_every_role_and_repository_of_a_location_has_a_name_that_aws_takes(base: str, location: str) -> None:
    names = EcsNames.of("prod", "123456789012", "eu-central-1", base)
    assert re.fullmatch(r"[\w+=,.@-]{1,64}", names.role(f"location-{location}"), re.ASCII)
    part = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
    assert re.fullmatch(rf"{part}(/{part})*", names.repository(location))
    assert len(names.repository(location)) <= 256


@given(BASES, PARTS, PARTS)
def test_two_locations_never_share_a_role_or_repository(base: str, one: str, other: str) -> None:
    assume(one != other)
    names = EcsNames.of("prod", "123456789012", "eu-central-1", base)
    assert names.role(f"location-{one}") != names.role(f"location-{other}")
    assert names.repository(one) != names.repository(other)
