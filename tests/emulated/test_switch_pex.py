"""A Python executable on Serverless, taken to Hybrid: the Hybrid agent beside it, which has not got its files, does not
try to load it, so that nothing holds the hand-over up; nor after the way back. Whether Dagster+ itself hands Hybrid
agents what a deployment on Serverless has is for the live tier."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated.checkout import HYBRID
from tests.emulated.serverless_place import Serverless, serverless, standing

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(900)]

CODE = """
import dagster as dg

@dg.op
def noting() -> None:
    pass

@dg.job(executor_def=dg.in_process_executor)
def answers() -> None:
    noting()

defs = dg.Definitions(jobs=[answers])
"""
PROJECT = """
[project]
name = "alpha"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["dagster==1.13.27", "dagster-cloud==1.13.27"]
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
packages = ["alpha"]
package-dir = {"" = "src"}
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "alpha"
code_location_name = "alpha"
code_location_target_module = "alpha.definitions"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[Serverless]:
    root = tmp_path_factory.mktemp("switched-pex")
    with serverless(root, environments) as found:
        folder = found.checkout.location("alpha", CODE)
        (folder / "pyproject.toml").write_text(PROJECT)
        _deploy(found, folder, root)
        yield found


def _deploy(place: Serverless, folder: Path, root: Path) -> None:
    """To Serverless, by the stock command."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("DAGSTER_", "PULUMI_"))}
    how = ("--location-name", "alpha", "--module-name", "alpha.definitions", "--build-method", "local")
    deployed = subprocess.run(
        [str(HYBRID.parent / "dagster-cloud"), "serverless", "deploy-python-executable", ".", *how],
        cwd=folder,
        env={
            **inherited,
            **place.variables,
            "PATH": f"{HYBRID.parent}{os.pathsep}{inherited['PATH']}",
            "DAGSTER_CLOUD_URL": f"{place.url}/prod",
            "DAGSTER_CLOUD_ORGANIZATION": "acme",
            "PEX_ROOT": str(root / "pex-root"),
        },
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert "Agent synced changes to alpha" in deployed.stdout, deployed.stdout[-3000:] + deployed.stderr[-3000:]


def _agent_log(place: Serverless) -> str:
    """Of all Hybrid agents that the stack has started."""
    logs = (place.checkout.root / ".hybrid").rglob("*.log*")
    return "".join(each.read_text(errors="replace") for each in logs if "agent" in str(each))


def test_an_executable_that_only_serverless_can_run_holds_nothing_up(place: Serverless) -> None:
    before = standing(place)
    assert before["documents"]["alpha"].get("pex_metadata"), "else this shows nothing"
    run = ("switch", "run", "local", "--yes", "--no-values", "--smoke", "alpha:answers")
    ready = place.hybrid(*run, "--until", "documents")
    assert ready.code == 0, ready.err
    assert "takes no work until the hand-over" in ready.err, "who waits is to know why"
    assert "multipex" not in _agent_log(place), "the agent tried to load what it has no files of"
    said = place.hybrid("switch", "status", "local", "--json").document
    [agent] = [step for step in said["steps"] if step["step"] == "agent"]
    assert agent["seconds"] < 60, "it is RUNNING as soon as it is up"

    done = place.hybrid(*run, "--resume", "--json")
    assert done.code == 0, done.err
    [switched] = done.document["stacks"]
    print(switched["downtime"])  # for who measures: pytest -s
    assert switched["downtime"]["seconds_since_switch"] < 120, "the hand-over waited for a code server that cannot come"
    assert standing(place)["type"] == "HYBRID"

    back = place.hybrid("switch", "back", "local", "--yes")
    assert back.code == 0, back.err
    assert standing(place) == before
    assert "multipex" not in _agent_log(place), "the agent tried to load what was put back"
