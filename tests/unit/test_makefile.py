"""The commands around Python: what make would run, and how setup and CI end when something is wrong. Nothing is
installed here; that setup installs and then rests is proved by the slow test of tier `program`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
SHELL_TOOLS = ("sh", "cat", "cksum", "dirname", "grep", "head", "mkdir", "mv", "rm", "tail")


def _run(command: list[str], folder: Path, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _script(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def test_make_up_makes_the_environment_then_the_tools_then_the_stack() -> None:
    said = _run(["make", "--no-print-directory", "-n", "up", "STACK=staging"], ROOT).stdout
    order = [said.find(command) for command in ("./bootstrap.sh", "hybrid tools install", "hybrid up staging")]
    assert -1 not in order, f"a new machine needs all three: {said}"
    assert order == sorted(order), "each needs the one before"


def test_make_by_itself_lists_the_commands() -> None:
    listed = set(re.findall(r"^  make (\S+)", _run(["make", "--no-print-directory"], ROOT).stdout, flags=re.MULTILINE))
    declared = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert declared is not None, "a folder named as a command must not switch the command off"
    assert listed | {"tools"} == set(declared[1].split()), "a command that is not listed is not found"


def test_the_commands_do_not_hand_the_setting_against_bytecode_on() -> None:
    assert re.search(r"^unexport PYTHONDONTWRITEBYTECODE$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE), (
        "with it each process of Dagster takes three times as long to start"
    )


@pytest.mark.parametrize("present", ["Python 3.10.13", None])
def test_a_machine_without_a_fitting_python_is_told_in_one_sentence(tmp_path: Path, present: str | None) -> None:
    for name in ("bootstrap.sh", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for tool in SHELL_TOOLS:
        (tmp_path / "path").mkdir(exist_ok=True)
        (tmp_path / "path" / tool).symlink_to(shutil.which(tool) or tool)
    if present:
        _script(tmp_path / "path" / "python3", f'[ "$1" = --version ] && echo "{present}" && exit; exit 1')
    answer = _run(["./bootstrap.sh"], tmp_path, {"PATH": str(tmp_path / "path"), "PYTHON": ""})
    assert answer.returncode != 0, "make must stop here"
    assert answer.stderr.count("\n") == 1, f"one sentence, no traceback: {answer.stderr}"
    assert "Python 3.11, 3.12 or 3.13 is needed" in answer.stderr, "the reader learns what to install"
    assert (present or "no python3") in answer.stderr, "and what is here instead"
    assert not (tmp_path / ".venv").exists(), "nothing is begun that cannot be ended"


AZURE_STACK = "config:\n  hybrid:agent: {kind: azure}\n"


@pytest.mark.parametrize(
    ("stack", "environ", "wanted"),
    [
        (AZURE_STACK, {"CI": "true"}, True),
        ('config:\n  hybrid:agent:\n    # ours\n    kind: "azure"\n', {"CI": "true"}, True),
        (AZURE_STACK, {"CI": ""}, False),
        ("config:\n  hybrid:agent: {kind: ecs}\n  # kind: azure\n", {"CI": "true"}, False),
        (None, {"CI": "true"}, False),
    ],
    ids=["a job of CI", "in another hand", "a person's machine", "no stack in Azure", "no stack"],
)
def test_a_job_of_ci_has_azure_s_libraries_where_a_stack_needs_them(
    tmp_path: Path, stack: str | None, environ: dict[str, str], wanted: bool
) -> None:
    """A person says `make azure`: 400 MB that not everybody needs (docs/adr/0025)."""
    locks = ["requirements.lock", "requirements-azure.lock"]
    for name in ("bootstrap.sh", "pyproject.toml", *locks):
        shutil.copy(ROOT / name, tmp_path)
    if stack is not None:
        (tmp_path / "stacks").mkdir()
        (tmp_path / "stacks" / "Pulumi.cloud.yaml").write_text(stack)
    for name in ("python", "hybrid"):
        _script(tmp_path / ".venv" / "bin" / name, "exit 1")
    # an environment that was made from both locks is what is wanted, or it is not
    made_from = f"{{ cat {' '.join(locks)} pyproject.toml bootstrap.sh; pwd; }} | cksum"
    (tmp_path / ".venv" / ".made-from").write_text(_run(["sh", "-c", made_from], tmp_path).stdout.rstrip("\n"))
    (tmp_path / "path").mkdir()
    for tool in SHELL_TOOLS:
        (tmp_path / "path" / tool).symlink_to(shutil.which(tool) or tool)
    answer = _run(["./bootstrap.sh"], tmp_path, {"PATH": str(tmp_path / "path"), "PYTHON": "", **environ})
    assert (answer.returncode == 0) is wanted, answer.stderr


def _ci(checkout: Path, failing: str) -> subprocess.CompletedProcess[str]:
    """Run CI with a make that records its targets and fails for ``failing``, as pytest does when it finds no test."""
    shutil.copytree(ROOT / ".ci", checkout / ".ci")
    make = f'echo "$1" >> made; [ "$1" = {failing} ] && echo "no tests ran" && exit 5; [ "$CI" = true ]'
    _script(checkout / "path" / "make", make)
    return _run([str(checkout / ".ci" / "run")], checkout, {"PATH": f"{checkout / 'path'}:{os.environ['PATH']}"})


def test_ci_runs_every_step_with_its_time(tmp_path: Path) -> None:
    answer = _ci(tmp_path, "nothing")
    steps = (tmp_path / "made").read_text().split()
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert {"check", "test", "test-slow"} <= set(steps), "all three must pass before a change is taken"
    for step in steps:
        assert re.search(rf"^{step} +\d+ s  passed$", answer.stdout, flags=re.MULTILINE), f"{step} shows its time"


@pytest.mark.parametrize("failing", ["check", "test", "test-slow"])
def test_ci_fails_with_any_step_and_still_runs_the_others(tmp_path: Path, failing: str) -> None:
    answer = _ci(tmp_path, failing)
    assert answer.returncode != 0, "no test collected is a failure like any other"
    assert "test-slow" in (tmp_path / "made").read_text().split(), "one run tells all"
    assert re.search(rf"^{failing} +\d+ s  FAILED$", answer.stdout, flags=re.MULTILINE), "the closing lines say which"
    assert "no tests ran" in answer.stdout, "what pytest said is shown"


def test_ci_stops_when_the_environment_cannot_be_made(tmp_path: Path) -> None:
    answer = _ci(tmp_path, "setup")
    assert answer.returncode != 0, "nothing can be tested"
    assert (tmp_path / "made").read_text().split() == ["setup"], "a dozen failures would hide the one"


def _ci_with_failing_tests(checkout: Path, notes: dict[str, bool], *, for_good: bool = False, code: int = 1) -> Any:
    """Run CI with a make whose ``test-slow`` fails with what pytest notes of it; a second time only ``for_good``."""
    shutil.copytree(ROOT / ".ci", checkout / ".ci")
    (checkout / "notes").write_text(json.dumps(notes, indent=2))  # as pytest's cache writes them
    make = f"""echo "$@" >> made; [ "$1" = test-slow ] || exit 0
if [ -z "$2" ] || {"true" if for_good else "false"}; then
    mkdir -p .pytest_cache/v/cache .pytest_cache/v/hybrid; cp notes .pytest_cache/v/cache/lastfailed
    mkdir -p .pytest_cache/d/hybrid; echo "-- why it failed" > .pytest_cache/d/hybrid/failures
    echo {code} > .pytest_cache/v/hybrid/ended; exit 2
fi"""
    _script(checkout / "path" / "make", make)
    return _run([str(checkout / ".ci" / "run")], checkout, {"PATH": f"{checkout / 'path'}:{os.environ['PATH']}"})


def test_ci_gives_the_modules_of_a_few_failures_a_second_try_and_says_so(tmp_path: Path) -> None:
    notes = {"tests/ecs/test_b.py::test_x[a::b]": True, "tests/ecs/test_b.py::test_y": True, "tests/a/test_a.py": True}
    answer = _ci_with_failing_tests(tmp_path, notes)
    assert answer.returncode == 0, answer.stdout
    assert (tmp_path / "made").read_text().splitlines()[-2:] == [
        "test-slow",
        "test-slow ARGS=tests/a/test_a.py tests/ecs/test_b.py",
    ], "whole modules: the tests of one may follow one another"
    assert re.search(
        r"^test-slow .*passed at the second try: tests/a/test_a\.py tests/ecs/test_b\.py$", answer.stdout, re.M
    ), "what needed it is to be looked into"
    assert re.search(r"^== make test-slow failed in\n-- why it failed$", answer.stdout, re.M), "and for that, why"


@pytest.mark.parametrize(
    ("notes", "for_good", "tries"),
    [
        ({"tests/a/test_a.py::test_x": True}, True, 2),
        ({f"tests/a/test_{n}.py::test_x": True for n in range(4)}, False, 1),
        ({}, False, 1),
    ],
    ids=["failing again", "too many for chance", "no test failed"],
)
def test_ci_fails_where_a_second_try_is_not_due_or_fails_too(
    tmp_path: Path, notes: dict[str, bool], for_good: bool, tries: int
) -> None:
    answer = _ci_with_failing_tests(tmp_path, notes, for_good=for_good)
    assert answer.returncode != 0, answer.stdout
    made = (tmp_path / "made").read_text().splitlines()
    assert sum(line.startswith("test-slow") for line in made) == tries, made
    assert re.search(r"^test-slow +\d+ s  FAILED$", answer.stdout, re.M), answer.stdout


@pytest.mark.parametrize("code", [2, 3])
def test_ci_takes_no_second_try_of_a_few_for_a_run_that_was_broken_off(tmp_path: Path, code: int) -> None:
    answer = _ci_with_failing_tests(tmp_path, {"tests/a/test_a.py": True}, code=code)
    assert answer.returncode != 0, "the tests that were never run would pass unseen"


def test_ci_does_not_take_the_failures_of_an_earlier_step_for_a_later_one_s(tmp_path: Path) -> None:
    (tmp_path / ".pytest_cache" / "v" / "cache").mkdir(parents=True)
    (tmp_path / ".pytest_cache" / "v" / "cache" / "lastfailed").write_text('{\n  "tests/a.py::test_x": true\n}')
    assert _ci(tmp_path, "check").returncode != 0, "what fails without a note of pytest is not tried again"


def test_a_session_notes_for_ci_why_its_tests_failed(tmp_path: Path) -> None:
    code = """
import pytest
@pytest.fixture
def broken(): raise OSError('gone')
def test_a(): assert 1 == 2, 'one\\ntwo'
def test_b(): pass
def test_c(broken): pass
"""
    (tmp_path / "test_here.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "tests.ci_notes", "test_here.py"]
    answer = _run(command, tmp_path, {**os.environ, "PYTHONPATH": str(ROOT)})
    assert answer.returncode == 1, answer.stdout + answer.stderr
    noted = (tmp_path / ".pytest_cache" / "d" / "hybrid" / "failures").read_text()
    assert "-- test_here.py::test_a (call)\nAssertionError: one\n  two\n" in noted, "all lines of a reason"
    assert "-- test_here.py::test_c (setup)\nOSError: gone\n" in noted, "of what a test needs, too"
    assert "test_b" not in noted
    assert (tmp_path / ".pytest_cache" / "v" / "hybrid" / "ended").read_text() == "1"


def test_no_package_registry_is_named() -> None:
    names = re.compile(r"pypi\.org|pythonhosted|proxy\.golang|sum\.golang|--index-url(?!$)|GOPROXY=")
    files = ["Makefile", "bootstrap.sh", ".ci/run", "requirements.lock"]
    found = [file for file in files if names.search((ROOT / file).read_text().replace("--no-emit-index-url", ""))]
    assert found == [], "which registries a machine uses is its owner's business"
