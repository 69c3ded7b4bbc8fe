"""The gate against those whose word it carries: the agent's schema, and the real `dagster definitions validate` on the
house's own location.

It cannot prove that what passes is loaded by an agent: an image may hold other packages, and Dagster+ may refuse more.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dagster_cloud.workspace.config_schema import LOCATION_CONFIG_SCHEMA, validate_workspace_location
from hypothesis import given, settings
from hypothesis import strategies as some

from hybrid.delivery.document import CONTEXTS as CONTEXTS_OF_PLATFORMS
from hybrid.delivery.gate.definitions import LoadedCode, check_definitions
from hybrid.delivery.gate.findings import errors_of
from hybrid.delivery.gate.places import Places
from hybrid.delivery.gate.schema import check_document
from hybrid.delivery.gate.versions import Installed, check_versions

pytestmark = pytest.mark.contracts

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(sys.executable)
CONTEXT = LOCATION_CONFIG_SCHEMA.fields["container_context"].config_type.fields
KEYS = sorted({key for field in CONTEXT.values() for key in field.config_type.fields})
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.sampled_from(["a", "A=1"]),
    lambda inner: (
        some.lists(inner, max_size=2)
        | some.dictionaries(some.sampled_from([*KEYS, "cpu", "memory", "name", "valueFrom", "zzz"]), inner, max_size=3)
    ),
    max_leaves=6,
)
CONTEXTS = some.dictionaries(
    some.sampled_from(["ecs", "docker", "k8s", "aca", "local"]),
    some.dictionaries(some.sampled_from([*KEYS, "envvars"]), VALUES, max_size=4) | VALUES,
    max_size=3,
)
OF_MANY_RULES = {"kubernetes", "azure"}
"""Platforms whose own words for names, labels and sizes are rules beside the schema (tests/unit/delivery/gate)."""
PLATFORMS = some.sampled_from([*CONTEXTS_OF_PLATFORMS, "local"])


def document(context: Any) -> dict[str, Any]:
    return {"location_name": "hello", "code_source": {"module_name": "hello"}, "container_context": context}


@settings(max_examples=200, deadline=None)
@given(CONTEXTS, PLATFORMS)
def test_whatever_the_agent_s_schema_refuses_is_found_and_nothing_else_is_an_error(context: Any, platform: str) -> None:
    refusals = validate_workspace_location(document(context)) or []

    found = check_document(document(context), platform, Places())

    assert len(found) >= len(refusals), "each refusal has a finding"
    assert all(finding.what and finding.next_step for finding in found)
    if not refusals and platform not in OF_MANY_RULES:
        rules = ("env_vars", "container_kwargs")
        assert all(any(rule in finding.what for rule in rules) for finding in errors_of(found)), (
            "beyond the schema, only the rules about variables and container arguments stop a location"
        )
    elif refusals:
        key = CONTEXTS_OF_PLATFORMS.get(platform)
        own = {} if key is None else {key: context.get(key, {})}
        if validate_workspace_location(document(own)):
            assert errors_of(found), "what the agent refuses on its own platform stops the location"


@pytest.mark.parametrize(("platform", "key"), sorted(CONTEXTS_OF_PLATFORMS.items()))
def test_every_key_of_the_schema_that_takes_a_list_or_text_is_told_when_it_gets_a_number(
    platform: str, key: str
) -> None:
    fields = CONTEXT[key].config_type.fields
    wrong = {key: dict.fromkeys(fields, 1.5)}

    found = check_document(document(wrong), platform, Places())

    assert {finding.what.split("`")[1] for finding in errors_of(found)} == {f"{key}.{field}" for field in fields}
    assert "what the schema says" not in repr(found), "each type of the schema has words"


@pytest.fixture
def hello() -> LoadedCode:
    folder = ROOT / "locations" / "hello"
    return LoadedCode("hello", folder, PYTHON, folder / "src", {"module_name": "hello.definitions"})


def test_the_house_s_own_location_passes(hello: LoadedCode) -> None:
    assert check_definitions(hello) == []


@pytest.fixture
def broken(tmp_path: Path) -> LoadedCode:
    folder = tmp_path / "locations" / "broken"
    (folder / "src" / "broken").mkdir(parents=True)
    (folder / "src" / "broken" / "__init__.py").touch()
    return LoadedCode("broken", folder, PYTHON, folder / "src", {"module_name": "broken.definitions"})


def write(code: LoadedCode, text: str) -> LoadedCode:
    (code.working_directory / "broken" / "definitions.py").write_text(text)
    return code


def test_code_that_raises_is_shown_by_its_own_frames_alone(broken: LoadedCode) -> None:
    lines = ["import dagster as dg", "print('noise', end='')", "def go():", "    raise ValueError('no')"]
    text = "\n".join([*lines, "@dg.definitions", "def defs():", "    go()", ""])

    (found,) = check_definitions(write(broken, text))

    assert found.where == "locations/broken/src/broken/definitions.py, line 4"
    assert "does not load: ValueError: no" in found.what
    assert "_core" not in found.what, "frames of Dagster say nothing about the location"


def test_a_syntax_error_is_shown_at_its_line(broken: LoadedCode) -> None:
    (found,) = check_definitions(write(broken, "def go(:\n    pass\n"))

    assert found.where == "locations/broken/src/broken/definitions.py, line 1"
    assert "SyntaxError" in found.what


def test_a_module_that_is_not_there_is_answered_with_the_one_that_is(broken: LoadedCode) -> None:
    write(broken, "import dagster as dg\ndefs = dg.Definitions()\n")

    (found,) = check_definitions(replace(broken, code_source={"module_name": "broken.definitons"}))

    assert found.next_step.startswith("write `broken.definitions`")
    assert "--working-directory" not in found.what, "that is an option of another command"


def test_a_file_and_a_package_are_loaded_as_a_module_is(broken: LoadedCode) -> None:
    write(broken, "import dagster as dg\ndefs = dg.Definitions()\n")
    (broken.working_directory / "broken" / "__init__.py").write_text("from broken.definitions import defs\n")

    for source in ({"python_file": "src/broken/definitions.py"}, {"package_name": "broken"}):
        assert check_definitions(replace(broken, code_source=source)) == []


def test_code_that_ends_the_interpreter_does_not_pass(broken: LoadedCode) -> None:
    (found,) = check_definitions(write(broken, "import os\nos._exit(0)\n"))

    assert "ended the interpreter" in found.what


def test_releases_are_read_from_a_real_environment() -> None:
    installed = Installed.of_environment(PYTHON)

    assert check_versions("hello", installed, installed.packages["dagster-cloud"], requires_python=">=3.11") == []
    assert installed.python is not None
