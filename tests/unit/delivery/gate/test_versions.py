"""Dagster's releases in an environment or a lock against the agent's, without running anything."""

from __future__ import annotations

import pytest

from hybrid.delivery.gate.versions import Installed, check_versions, python_of_image

pytestmark = pytest.mark.unit


def both(version, python=None):
    return Installed("its environment", {"dagster": version, "dagster-cloud": version}, python)


def severities(installed, agent="1.13.27", **given):
    return [finding.severity for finding in check_versions("hello", installed, agent, **given)]


def test_an_environment_is_read_from_its_files_alone(python, installed):
    installed(dagster="1.13.27", dagster_cloud="1.13.26", dagster_aws="0.29.27")

    found = Installed.of_environment(python)  # the interpreter of this test ends with 99 when it is run

    assert found.packages == {"dagster": "1.13.27", "dagster-cloud": "1.13.26"}
    assert found.python == "3.11.7"


def test_what_a_stack_needs_beside_is_looked_for_and_its_lack_an_error(python, installed):
    installed(dagster="1.13.27", dagster_cloud="1.13.27", dagster_aws="0.29.27")
    needed = {"dagster-aws": "by it runs write logs", "acme-logs": "it is wanted"}

    there = Installed.of_environment(python, tuple(needed))
    (found,) = check_versions("hello", there, "1.13.27", packages=needed)

    assert there.packages["dagster-aws"] == "0.29.27"
    assert found.severity == "error"
    assert found.what == "acme-logs is not in its environment, and it is wanted."
    assert "acme-logs" in found.next_step


def test_one_release_everywhere_has_no_finding():
    assert severities(both("1.13.27")) == []


def test_what_is_missing_is_an_error_that_names_the_package():
    found = check_versions("hello", Installed("requirements.lock", {"dagster": "1.13.27"}), "1.13.27")

    assert [(finding.severity, finding.what) for finding in found] == [
        ("error", "dagster-cloud is not in requirements.lock.")
    ]


def test_two_releases_in_one_environment_are_an_error():
    (found,) = check_versions("hello", Installed("x", {"dagster": "1.13.26", "dagster-cloud": "1.13.27"}), "1.13.27")

    assert found.severity == "error"
    assert "dagster==1.13.27" in found.next_step


@pytest.mark.parametrize("version", ["1.13.28", "1.14.0", "2.0.0"])
def test_newer_than_the_agent_is_an_error(version):
    assert severities(both(version)) == ["error"]


@pytest.mark.parametrize(
    ("version", "expected"), [("1.13.0", []), ("1.11.9", []), ("1.10.20", ["warning"]), ("0.15.0", ["warning"])]
)
def test_older_than_the_agent_is_a_warning_from_three_minor_releases_on(version, expected):
    assert severities(both(version)) == expected


@pytest.mark.parametrize("agent", [None, "of tomorrow"])
def test_an_agent_whose_release_is_not_known_is_not_compared_with(agent):
    assert severities(both("9.9.9"), agent) == []


def test_the_interpreter_and_the_image_are_held_against_requires_python():
    found = check_versions("hello", both("1.13.27", "3.11.7"), "1.13.27", requires_python=">=3.12", image_python="3.10")

    assert ["its interpreter" in found[0].what, "its image" in found[1].what] == [True, True]
    assert severities(both("1.13.27", "3.11.7"), requires_python=">=3.11.2,<3.14", image_python="3.11") == [], (
        "an image of 3.11 holds its latest patch"
    )


@pytest.mark.parametrize(
    ("reference", "version"),
    [
        ("python:3.12-slim", "3.12"),
        ("mirror.example/library/python:3.11.7", "3.11.7"),
        ("python:3.12@sha256:" + "0" * 64, "3.12"),
        ("python:slim", None),
        ("mypython:3.12", None),
        ("acme/base:3.12", None),
    ],
)
def test_the_python_of_an_image_is_told_by_official_tags_alone(reference, version):
    assert python_of_image(reference) == version
