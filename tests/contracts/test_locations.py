"""Code locations against what Dagster says of them: every document that can be rendered is taken by the agent's own
schema, and the house's own location is one that Dagster finds and loads the same way.

It does not prove that Dagster+ takes a document: its server may refuse more than the agent's schema does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dagster._core.workspace.load_target import get_origins_from_toml
from hypothesis import given, settings
from hypothesis import strategies as some

from hybrid.delivery.catalog import Build, CodeLocationFolder, find_code_locations
from hybrid.delivery.document import location_document, schema_errors
from hybrid.delivery.project import MODULE, NAME, QUEUE, CodeSource

pytestmark = pytest.mark.contracts

ROOT = Path(__file__).resolve().parents[2]
WORDS = some.text(alphabet="abcXYZ019._-/: =", min_size=1, max_size=20)
NAMES = some.from_regex(NAME, fullmatch=True)
ENVIRONMENT = some.lists(some.builds("{}={}".format, some.sampled_from(["A", "STAGE"]), WORDS), max_size=3)
CONTEXTS = some.fixed_dictionaries(
    {},
    optional={
        "docker": some.fixed_dictionaries(
            {"env_vars": ENVIRONMENT}, optional={"networks": some.lists(WORDS, max_size=2)}
        ),
        "ecs": some.fixed_dictionaries(
            {}, optional={"env_vars": ENVIRONMENT, "run_resources": some.just({"cpu": "1024", "memory": "4096"})}
        ),
        "k8s": some.fixed_dictionaries({"env_vars": ENVIRONMENT}, optional={"namespace": WORDS}),
        "aca": some.fixed_dictionaries({"env_vars": ENVIRONMENT}),
    },
)
LOCATIONS = some.builds(
    CodeLocationFolder,
    name=NAMES,
    folder=some.just(Path("/checkout/locations/hello")),
    code_source=some.builds(
        CodeSource,
        some.sampled_from(["module_name", "autoload_defs_module_name"]),
        some.from_regex(MODULE, fullmatch=True),
    ),
    working_directory=some.just(Path("/checkout/locations/hello/src")),
    requirements=some.just(()),
    lock=some.none(),
    requires_python=some.none(),
    build=some.just(Build(registry=None, directory=Path("/checkout/locations/hello"))),
    container_context=CONTEXTS,
    agent_queue=some.none() | some.from_regex(QUEUE, fullmatch=True),
    image=some.none() | WORDS,
)
GIVEN = some.fixed_dictionaries(
    {},
    optional={
        name: some.none() | WORDS
        for name in ("image", "executable_path", "working_directory", "commit_hash", "repository_url")
    },
)


@settings(max_examples=200, deadline=None)
@given(location=LOCATIONS, given_=GIVEN)
def test_the_agents_schema_takes_every_document(location: CodeLocationFolder, given_: dict[str, str | None]) -> None:
    assert schema_errors(location_document(location, **given_)) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_source": {"module_name": "a", "package_name": "a"}},
        {"container_context": {"ecs": {"envvars": ["A=1"]}}},
        {"container_context": {"local": {}}},
        {"build": {"registry": "x"}},
    ],
    ids=["two sources", "misspelt context", "no platform", "build settings"],
)
def test_the_schema_is_a_judge_that_refuses(wrong: dict[str, Any]) -> None:
    document = {"location_name": "hello", "code_source": {"module_name": "hello.definitions"}}
    assert schema_errors(document | wrong)


def own_locations() -> tuple[CodeLocationFolder, ...]:
    return find_code_locations(ROOT)


@pytest.mark.parametrize("location", own_locations(), ids=lambda location: location.name)
def test_dagster_reads_the_same_target_from_the_folder(
    location: CodeLocationFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(location.folder)
    (origin,) = get_origins_from_toml(str(location.folder / "pyproject.toml"))
    assert origin.loadable_target_origin.module_name == location.code_source.name
    # without `code_location_name` `dagster dev` names a location by its module; in Dagster+ it is called as its folder
    assert origin.location_name in {location.name, location.code_source.name}


def test_dagster_loads_the_folder_as_its_document_says(tmp_path: Path) -> None:
    """Of the one that needs no more than this project's environment; tests/emulated/test_real_locations.py loads the
    others, each in its own."""
    (location,) = [each for each in own_locations() if each.name == "hello"]
    document = location_document(location)
    command = [sys.executable, "-m", "dagster", "definitions", "validate"]
    command += ["--module-name", document["code_source"]["module_name"]]
    command += ["--working-directory", document["working_directory"]]
    inherited = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "DAGSTER_HOME"}}
    result = subprocess.run(
        command, cwd=tmp_path, env=inherited, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, f"{location.name} does not load:\n{result.stdout}{result.stderr}"


def test_the_locations_agent_and_dagster_are_of_one_release() -> None:
    for location in own_locations():
        pinned = dict(item.split("==") for item in location.requirements if item.startswith("dagster") and "==" in item)
        assert pinned.get("dagster") == pinned.get("dagster-cloud"), f"{location.name}: they release in lockstep"
        assert "dagster-cloud" in pinned, f"{location.name}: its code server speaks to Dagster+ with it"
