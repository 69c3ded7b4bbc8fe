"""A location's own tests: what pytest's end means, and which requirements they have."""

from __future__ import annotations

import pytest

from hybrid.delivery.gate.location_tests import development_requirements, run_tests
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit


@pytest.fixture
def pytest_ends(python):
    def put(*lines):
        python.write_text("\n".join(["#!/bin/sh", *lines, ""]))

    return put


def test_tests_that_pass_have_no_finding_and_import_as_the_code_server_does(code, pytest_ends, tmp_path):
    pytest_ends(f'echo "$PYTHONPATH $(pwd) $1 $2" > {tmp_path}/ran', "exit 0")

    assert run_tests(code) == []
    assert (tmp_path / "ran").read_text().split() == [str(code.folder / "src"), str(code.folder), "-m", "pytest"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["echo 1 failed", "exit 1"], "its tests fail.\n1 failed"),
        (["exit 5"], "no tests were found."),
        (["echo 'python: No module named pytest'", "exit 1"], "pytest is not in the environment"),
    ],
)
def test_every_other_end_is_an_error(code, pytest_ends, lines, said):
    pytest_ends(*lines)

    (found,) = run_tests(code)

    assert found.severity == "error", "a check that ran nothing has checked nothing"
    assert found.what.startswith(said)


def test_the_last_thirty_lines_are_shown_without_secrets(code, pytest_ends):
    pytest_ends("for i in $(seq 100); do echo line-$i; done", "echo password=swordfish-swordfish", "exit 1")

    (found,) = run_tests(code)

    assert "line-72\n" in found.what
    assert "line-71\n" not in found.what
    assert "swordfish" not in found.what


def test_tests_that_do_not_end_are_stopped(code, pytest_ends):
    pytest_ends("exec sleep 300")

    (found,) = run_tests(code, seconds=0.3)

    assert "did not end" in found.what


def requirements(folder, text):
    (folder / "pyproject.toml").write_text(text)
    return development_requirements(folder)


def test_the_development_group_is_read_with_the_groups_it_includes(folder):
    text = """[dependency-groups]
Test_Tools = ["pytest>=9", "six"]
dev = [{include-group = "test-tools"}, "ruff"]
"""

    assert requirements(folder, text) == ("pytest>=9", "six", "ruff")


@pytest.mark.parametrize("text", ["", "[project]\nname = 'x'\n", "[dependency-groups]\ntest = ['pytest']\n"])
def test_without_a_group_there_are_none(folder, text):
    assert requirements(folder, text) == ()


def test_without_a_pyproject_there_are_none(folder):
    assert development_requirements(folder) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dev = [{include-group = 'dev'}]", "includes itself"),
        ("dev = [{include-group = 'test'}]", "`test` is not there"),
        ("dev = 'pytest'", "is no list"),
        ("dev = ['not a requirement!']", "is not a requirement"),
        ("dev = [3]", "is not a requirement"),
        ("dev = [{path = '../x'}]", "is not a requirement"),
    ],
)
def test_what_the_standard_does_not_allow_is_refused_with_its_line(folder, text, said):
    with pytest.raises(SettingsError, match=said) as raised:
        requirements(folder, f"[dependency-groups]\n{text}\n")

    assert "pyproject.toml, line" in raised.value.what
