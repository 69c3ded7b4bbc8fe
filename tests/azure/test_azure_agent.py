"""The real agent with Dagster's own launcher for Azure, from nothing to a finished run and back to nothing, in the
STAND-IN for Azure Resource Manager (tests/standins/azure says what of it is like Azure), with the roles that the
stack's program gives.

It shows what the agent asks of Azure, that the rights cover it and that each of them is needed. It cannot show that
Azure decides so, nor times, ingress, images or logs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.azure_roles import agent_rights
from tests.azure.lab import AGENT, CODE, NAMES, OWNER, AzureLab, granted
from tests.emulated.served import ServedOrganization
from tests.standins.azure.rights import Rights

pytestmark = [pytest.mark.emulated, pytest.mark.timeout(600)]

CODE_OF_SHOP = """
import os, time
import dagster as dg

@dg.op
def speak(context):
    context.log.info("greeting %s as %s" % (os.environ["GREETING"], os.environ["AZURE_CLIENT_ID"]))

@dg.op
def sleep():
    time.sleep(600)

@dg.job
def greet():
    speak()

@dg.job
def slow():
    sleep()

defs = dg.Definitions(jobs=[greet, slow])
"""


def pytest_report_header() -> str:
    return "Azure: STAND-IN (tests/standins/azure: processes behind a fake Azure Resource Manager)"


def laboratory(folder: Path, *, isolated: bool) -> Iterator[AzureLab]:
    assert os.geteuid() == 0, "the stand-in gives processes an /etc/hosts of their own: it needs Linux and root"
    rights = Rights({AGENT: granted(agent_rights(isolated=isolated))}, owners=[OWNER])
    with ServedOrganization(folder / "plus") as plus, AzureLab(folder / "lab", plus, rights) as lab:
        yield lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[AzureLab]:
    yield from laboratory(tmp_path, isolated=True)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[AzureLab]:
    yield from laboratory(tmp_path, isolated=False)


def test_an_agent_comes_up_loads_a_location_runs_jobs_and_leaves_nothing(lab: AzureLab, tmp_path: Path) -> None:
    assert lab.plus
    file = _stands(lab, tmp_path)
    _is_told_as_wanted(lab)

    run = lab.plus.launch("shop", "greet")
    lab.until(lambda: lab.plus.run(run)["status"] in {"SUCCESS", "FAILURE"}, seconds=150, what="the run has ended")
    assert lab.plus.run(run)["status"] == "SUCCESS", "a run is a job of its own"
    (job,) = lab.arm.named("jobs")
    assert f"greeting hello as {CODE}" in job.started[0][1].text, "with the identity of code"

    _is_replaced(lab, file)
    slow = _is_terminated(lab)
    assert slow in _kept(lab), "where agents are isolated a run ends by itself, and its job stays as all do"

    lab.stop_agent()
    lab.until(lambda: not lab.servers(), seconds=30, what="on SIGTERM the agent deletes its code servers")
    assert lab.rights.denied == [], "the roles grant all that the agent asks of Azure"
    assert lab.arm.unknown == [], "and the stand-in knows all of it"
    rights = {right.action for right in agent_rights(isolated=True)}
    assert lab.rights.used_by(AGENT) == rights, "no right is granted that is not used"
    assert lab.token not in lab.agent_log, "the token is in no log"


def _loaded(lab: AzureLab) -> bool:
    assert lab.plus
    state = lab.plus.load_states().get("shop", "")
    assert not state.startswith("ERROR"), f"{state}\n{lab.agent_log[-3000:]}"
    return state == "LOADED"


def _is_told_as_wanted(lab: AzureLab) -> None:
    (server,) = lab.servers()
    body = server.body
    assert list(body["identity"]["userAssignedIdentities"]) == [NAMES.identity_id("code")], "not the agent's own"
    (login,) = body["properties"]["configuration"]["registries"]
    assert login["identity"] == NAMES.identity_id("code"), "images are pulled by it"
    assert body["tags"]["managed-by"] == "dagster-cloud-agent", "by this the drain knows it"
    (container,) = body["properties"]["template"]["containers"]
    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert variables["DAGSTER_CLOUD_AGENT_TOKEN"] == lab.token, (
        "the launcher has learnt to keep the token out of apps: take the warnings of stacks/azure.py, hybrid doctor "
        "and docs/azure.md back"
    )


def _is_replaced(lab: AzureLab, file: Path) -> None:
    first = {server.name for server in lab.servers()}
    lab.deploy("shop", file, image="hybridquick.azurecr.io/hybrid-quick/shop@sha256:" + "b" * 64)
    lab.until(
        lambda: (now := {server.name for server in lab.servers()}) and not now & first,
        seconds=150,
        what="the code server of before is deleted when the new one answers",
    )
    lab.until(lambda: _loaded(lab), seconds=30, what="shop is loaded again")


def _is_terminated(lab: AzureLab) -> str:
    """The run's id."""
    assert lab.plus
    run = lab.plus.launch("shop", "slow")
    lab.until(lambda: lab.plus.run(run)["status"] == "STARTED", seconds=120, what="the slow run goes on")
    lab.until(
        lambda: "Microsoft.App/jobs/executions/read" in lab.rights.used_by(AGENT),
        seconds=120,
        what="the agent looks whether the run is well",
    )
    lab.plus.ask("mutation($id: String!) { terminateRun(runId: $id) { __typename } }", id=run)
    lab.until(lambda: lab.plus.run(run)["status"] == "CANCELED", seconds=120, what="the run is terminated")
    return run


def _kept(lab: AzureLab) -> set[str]:
    """Runs whose jobs are there; only the drain removes those that are over."""
    return {job.body["tags"]["dagster-run-id"] for job in lab.arm.named("jobs")}


def _stands(lab: AzureLab, folder: Path, **settings: object) -> Path:
    assert lab.plus
    file = folder / "shop.py"
    file.write_text(CODE_OF_SHOP)
    lab.deploy("shop", file, image="hybridquick.azurecr.io/hybrid-quick/shop@sha256:" + "a" * 64)
    lab.start_agent(**settings)
    lab.until(lambda: lab.plus.agent_states().get(NAMES.base) == "RUNNING", seconds=120, what="the agent is RUNNING")
    lab.until(lambda: _loaded(lab), seconds=120, what="shop is loaded")
    return file


def test_an_agent_that_is_not_isolated_ends_a_run_by_its_job_and_removes_that(shared: AzureLab, tmp_path: Path) -> None:
    _stands(shared, tmp_path, isolated=False)
    run = _is_terminated(shared)
    shared.until(lambda: run not in _kept(shared), seconds=60, what="its job is deleted")
    assert {"Microsoft.App/jobs/stop/action", "Microsoft.App/jobs/delete"} <= shared.rights.used_by(AGENT)
    assert shared.rights.denied == []
    assert shared.arm.unknown == []
