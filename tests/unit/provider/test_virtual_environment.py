"""How an environment gets its name. That it is built and works is shown by the program tests."""

from __future__ import annotations

import pytest

from hybrid.provider.properties import UNKNOWN
from hybrid.provider.virtual_environment import VirtualEnvironment

pytestmark = pytest.mark.unit


@pytest.fixture
def inputs(tmp_path):
    (tmp_path / "lock.txt").write_text("six==1.17.0\n")
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "pyproject.toml").write_text("[project]\nname = 'hello'\n")
    return {
        "parent": str(tmp_path / "environments"),
        "requirements": [f"-e {tmp_path / 'hello'}", "six"],
        "lock": str(tmp_path / "lock.txt"),
    }


def path_of(inputs):
    return VirtualEnvironment().foreseen(inputs)["path"]


def test_the_same_dependencies_in_another_order_are_the_same_environment(inputs):
    assert path_of(inputs) == path_of({**inputs, "requirements": inputs["requirements"][::-1]})


def test_another_lock_pyproject_requirement_or_interpreter_is_another_environment(inputs, tmp_path):
    names = {path_of(inputs), path_of({**inputs, "python": "3.12"}), path_of({**inputs, "requirements": ["six"]})}
    (tmp_path / "lock.txt").write_text("six==1.16.0\n")
    names.add(path_of(inputs))
    (tmp_path / "hello" / "pyproject.toml").write_text("[project]\nname = 'hello'\ndependencies = ['six']\n")
    names.add(path_of(inputs))

    assert len(names) == 5


def test_links_to_one_interpreter_are_one_environment_and_a_link_that_turns_is_another(inputs, tmp_path):
    for name in ("3.11", "3.12"):
        (tmp_path / name).touch()
    for name in ("here", "there"):
        (tmp_path / name).symlink_to(tmp_path / "3.11")
    here, there = ({**inputs, "python": str(tmp_path / name)} for name in ("here", "there"))
    before = path_of(here)

    assert before == path_of(there), "each checkout would install the same anew"
    (tmp_path / "here").unlink()
    (tmp_path / "here").symlink_to(tmp_path / "3.12")
    assert path_of(here) != before, "what was made on the other release would be run by a document that says this one"


def test_a_lock_that_says_something_else_is_a_change_although_its_path_is_the_same(inputs, tmp_path):
    resource = VirtualEnvironment()
    outputs = resource.foreseen(inputs)
    assert not resource.diff(inputs, outputs, inputs)

    (tmp_path / "lock.txt").write_text("six==1.16.0\n")

    assert [change.path for change in resource.diff(inputs, outputs, inputs)] == ["path"]


def test_a_lock_that_is_not_there_is_named(inputs, tmp_path):
    (failure,) = VirtualEnvironment().check({**inputs, "lock": str(tmp_path / "nope.txt")})

    assert failure.path == "lock"
    assert not VirtualEnvironment().check({**inputs, "lock": UNKNOWN})
