"""The gate through Pulumi's engine: no code of a location in a preview, once for each change, and its errors in words.

`dagster` is a stand-in that notes that it ran; the real one is in the contracts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program.provider.conftest import Project

pytestmark = [pytest.mark.program, pytest.mark.slow]

PROGRAM = """
from hybrid.provider.check_resources import LocationCheck, LocationCheckArgs
check = LocationCheck("hello-check", LocationCheckArgs(
    name="hello",
    folder=str(RUN / "hello"),
    executable=str(RUN / "environment/bin/python"),
    working_directory=str(RUN / "hello"),
    code_source={{"module_name": "hello"}},
    document={{"code_source": {{"module_name": "hello"}}}},
    content_hash="{hash}",
    agent_version="1.13.27",
    platform="docker",
))
pulumi.export("findings", check.findings)
"""


@pytest.fixture
def loads(project: Project) -> Callable[[str | None], None]:
    """Let the location's definitions load, or fail with this text."""
    environment = project.run_folder / "environment"
    (project.run_folder / "hello").mkdir()
    (environment / "bin").mkdir(parents=True)
    for name in ("dagster", "dagster_cloud"):
        info = environment / f"lib/python3.11/site-packages/{name}-1.13.27.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.13.27\n")

    def put(failure: str | None) -> None:
        failed = f"Validation failed for code location hello:\n\n{failure}"
        said = json.dumps({"event": failed if failure else "All code locations passed validation."})
        script = environment / "bin" / "dagster"
        script.write_text(
            f"#!/bin/sh\necho >> {project.run_folder}/ran\ncat <<'END'\n{said}\nEND\nexit {1 if failure else 0}\n"
        )
        script.chmod(0o755)

    put(None)
    return put


def runs(project: Project) -> int:
    ran: Path = project.run_folder / "ran"
    return len(ran.read_text().splitlines()) if ran.exists() else 0


def test_a_location_is_checked_by_updates_that_change_it_and_by_nothing_else(
    project: Project, loads: Callable[[str | None], None]
) -> None:
    project.declare(PROGRAM.format(hash="a"))

    assert "LocationCheck" in project.pulumi("preview")
    assert runs(project) == 0, "a preview runs nobody's code"
    project.up()
    assert runs(project) == 1
    project.up()
    assert runs(project) == 1, "nothing changed, nothing is checked, a refresh neither"

    loads("ValueError: postgres://me:swordfish@host\n\nStack Trace:\n")
    project.declare(PROGRAM.format(hash="b"))
    project.pulumi("preview")
    assert runs(project) == 1
    said = project.up(succeeds=False)
    assert "One thing is wrong with the code location hello" in said
    assert "ValueError" in said
    assert "swordfish" not in said + project.state_text()

    loads(None)
    project.up()
    assert runs(project) == 3, "what failed is checked again although nothing that the program says has changed"
    project.destroy()
    assert runs(project) == 3
