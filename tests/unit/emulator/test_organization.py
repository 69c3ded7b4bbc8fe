"""The organization's model in SQLite: what it keeps, what it refuses, what it does under threads.

Proves nothing about power failures: only the process's own death is simulated, by opening the file anew.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from hybrid.emulator.errors import DataFolderError, EmulatorError
from hybrid.emulator.organization import AgentReport, Organization
from hybrid.emulator.organization.agents import RUNNING_SECONDS, Agents
from hybrid.emulator.organization.database import Database
from hybrid.emulator.organization.locations import Locations
from hybrid.emulator.organization.requests import LIFETIME_SECONDS, Requests
from hybrid.emulator.organization.schema import VERSIONS

pytestmark = pytest.mark.unit


def document(name: str, **more: object) -> dict[str, object]:
    return {"location_name": name, "code_source": {"python_file": "defs.py"}, **more}


def report(agent: str) -> AgentReport:
    return AgentReport(agent, "label", "ProcessUserCodeLauncher", {"version": "1"}, [], [], [])


def reopened(organization: Organization, folder: Path) -> Organization:
    organization.close()
    return Organization(folder)


def test_everything_that_matters_is_there_after_a_restart(organization: Organization, tmp_path: Path) -> None:
    record, token = organization.tokens.create("agent", "a")
    organization.tokens.withdraw(record.id, "ORGANIZATION", None)
    organization.tokens.grant(record.id, "DEPLOYMENT", organization.deployment.id)
    deployed = organization.locations.put("prod", document("one"), "metadata")
    organization.locations.record_loaded("prod", "one", "manifest")
    organization.locations.record_failed("prod", "one", "error")
    organization.agents.heard("prod", report("agent-1"))
    organization.requests.submit("prod", "LAUNCH_RUN", "launch", "{}")
    public_id = organization.public_id

    after = reopened(organization, tmp_path)
    location = after.locations.get("prod", "one")
    verified = after.tokens.verify(token.reveal())
    assert verified is not None
    assert [grant.scope for grant in verified.grants] == ["DEPLOYMENT"]
    assert location is not None
    assert location.metadata_timestamp == deployed.metadata_timestamp, "another value makes agents respawn servers"
    assert (location.manifest, location.error, location.outdated) == ("manifest", "error", False)
    assert [record.report for record in after.agents.all()] == [report("agent-1")]
    assert [request.id for request in after.requests.pop([None])] == ["launch"], "a launched run must not be lost"
    assert after.public_id == public_id
    after.close()


def test_no_token_stands_in_any_file_but_the_administrators(organization: Organization, tmp_path: Path) -> None:
    _, token = organization.tokens.create("agent", "a")
    administrator = (tmp_path / "api-token").read_text().strip()
    organization.close()
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.name != "api-token":
            content = file.read_bytes()
            assert token.reveal().encode() not in content
            assert administrator.encode() not in content


def test_the_administrators_token_is_its_owners_alone_and_stays(organization: Organization, tmp_path: Path) -> None:
    file = tmp_path / "api-token"
    before = file.read_text()
    file.chmod(0o644)
    after = reopened(organization, tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == before
    assert not list(tmp_path.glob(".api-token-*")), "a draft was left"
    after.close()


@pytest.mark.parametrize("content", [None, "", "user:local:guessed", "agent:local:x"])
def test_a_lost_or_foreign_token_file_is_written_anew_and_the_old_token_dies(
    organization: Organization, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "api-token"
    former = file.read_text().strip()
    file.unlink()
    if content is not None:
        file.write_text(content)
    after = reopened(organization, tmp_path)
    current = file.read_text().strip()
    assert current != former
    assert after.tokens.verify(former) is None
    assert after.tokens.verify(current) is not None
    after.close()


def test_a_revoked_token_is_refused_and_keeps_the_time_of_its_first_revocation(organization: Organization) -> None:
    record, token = organization.tokens.create("agent", None)
    first = organization.tokens.revoke(record.id)
    assert organization.tokens.verify(token.reveal()) is None
    assert organization.tokens.revoke(record.id).revoked_at == first.revoked_at


def test_a_new_agent_token_serves_everything_and_a_narrowed_one_only_its_deployment(organization: Organization) -> None:
    record, _ = organization.tokens.create("agent", None)
    here = organization.deployment
    elsewhere = replace(here, id=here.id + 1)
    assert record.serves(here)
    assert record.serves(elsewhere)
    organization.tokens.grant(record.id, "DEPLOYMENT", here.id)
    organization.tokens.grant(record.id, "DEPLOYMENT", here.id)
    narrowed = organization.tokens.withdraw(record.id, "ORGANIZATION", None)
    assert len(narrowed.grants) == 1, "the same grant twice is one grant"
    assert narrowed.serves(here)
    assert not narrowed.serves(elsewhere)


def test_an_unknown_token_cannot_be_changed(organization: Organization) -> None:
    for change in (
        lambda: organization.tokens.revoke(99),
        lambda: organization.tokens.grant(99, "ORGANIZATION", None),
        lambda: organization.tokens.withdraw(99, "ORGANIZATION", None),
    ):
        with pytest.raises(KeyError):
            change()


def test_a_location_put_again_is_newer_even_when_the_clock_was_set_back(tmp_path: Path) -> None:
    hours = iter([1000.0, 500.0, 500.0])
    locations = Locations(Database(tmp_path / "db"), clock=lambda: next(hours))
    first = locations.put("prod", document("one"), "a")
    locations_version = locations.version
    second = locations.put("prod", document("one", image="i"), "b")
    assert second.metadata_timestamp > first.metadata_timestamp, "the agent takes an equal time for no change"
    assert locations.version > locations_version
    assert second.outdated


def test_a_location_keeps_its_last_good_manifest_while_it_reloads_and_after_an_error(
    organization: Organization,
) -> None:
    locations = organization.locations
    locations.put("prod", document("one"), "a")
    assert locations.get("prod", "one").load_state == "LOADING"
    locations.record_loaded("prod", "one", "manifest")
    assert locations.get("prod", "one").load_state == "LOADED"
    locations.record_failed("prod", "one", "error")
    assert locations.get("prod", "one").load_state == "FAILED"
    locations.put("prod", document("one"), "b")
    reloading = locations.get("prod", "one")
    assert (reloading.load_state, reloading.manifest) == ("LOADING", "manifest")
    assert locations.record_loaded("prod", "one", "newer").error is None


def test_an_upload_of_a_location_that_was_deleted_meanwhile_changes_nothing(organization: Organization) -> None:
    assert organization.locations.record_loaded("prod", "gone", "manifest") is None
    assert organization.locations.record_failed("prod", "gone", "error") is None
    assert organization.locations.all("prod") == ()
    assert organization.locations.delete("prod", "gone") is False


def test_locations_of_other_deployments_are_not_listed(organization: Organization) -> None:
    organization.locations.put("prod", document("b"), "m")
    organization.locations.put("prod", document("a"), "m")
    organization.locations.put("other", document("c"), "m")
    assert [record.name for record in organization.locations.all("prod")] == ["a", "b"]


def test_each_request_is_popped_once_however_many_agents_ask(organization: Organization) -> None:
    ids = [f"request-{number}" for number in range(400)]
    start = threading.Barrier(8)

    def submit() -> list[str]:
        start.wait()
        for number, request_id in enumerate(ids):
            organization.requests.submit("prod", "LAUNCH_RUN" if number % 4 == 0 else "OTHER", request_id, "{}")
        return []

    def pop() -> list[str]:
        start.wait()
        taken: list[str] = []
        while len(taken) < len(ids) and not finished.is_set():
            taken += [request.id for request in organization.requests.pop([None], 3, ["prod"])]
        return taken

    finished = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        poppers = [pool.submit(pop) for _ in range(7)]
        pool.submit(submit).result(60)
        while organization.requests.pending():
            threading.Event().wait(0.001)
        finished.set()
        taken = [request_id for popper in poppers for request_id in popper.result(60)]
    assert sorted(taken) == sorted(ids)


def test_requests_go_to_their_queue_and_deployment_oldest_first_and_no_more_than_the_limit(
    organization: Organization,
) -> None:
    requests = organization.requests
    for number in range(12):
        requests.submit("prod", "PING", f"default-{number:02}", "{}")
    requests.submit("prod", "PING", "gpu", "{}", queue="gpu")
    requests.submit("other", "PING", "other", "{}")
    assert [found.id for found in requests.pop(["gpu"], None, ["prod"])] == ["gpu"]
    assert len(requests.pop([None], None, ["prod"])) == 10, "ten is the client's implicit limit"
    assert [found.id for found in requests.pop([None], 5, ["prod"])] == ["default-10", "default-11"]
    assert requests.pop([None], None, []) == [], "a token without deployments gets nothing"
    assert [found.id for found in requests.pop([None], None, ["other"])] == ["other"]


def test_an_answer_that_comes_before_anybody_waits_is_kept(organization: Organization) -> None:
    organization.requests.submit("prod", "PING", "one", "{}")
    organization.requests.pop([None])
    assert organization.requests.answer("one", "pong")
    assert organization.requests.wait("one", 5) == "pong"
    assert not organization.requests.answer("one", "again"), "nobody wants a second answer"


def test_who_waits_in_vain_is_told_why_and_the_request_is_withdrawn(organization: Organization) -> None:
    organization.requests.submit("prod", "PING", "untaken", "{}")
    with pytest.raises(TimeoutError, match="no agent took it"):
        organization.requests.wait("untaken", 0.01)
    assert organization.requests.pending() == 0, "nobody wants the answer any more"
    organization.requests.submit("prod", "PING", "taken", "{}")
    organization.requests.pop([None])
    with pytest.raises(TimeoutError, match="an agent took it and did not answer"):
        organization.requests.wait("taken", 0.01)


def test_closing_lets_waiters_go(organization: Organization) -> None:
    organization.requests.submit("prod", "PING", "one", "{}")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(organization.requests.wait, "one", 60)
        organization.requests.close()
        with pytest.raises(TimeoutError):
            waiting.result(5)


def test_requests_that_nobody_answered_in_their_lifetime_are_forgotten(tmp_path: Path) -> None:
    now = [0.0]
    requests = Requests(Database(tmp_path / "db"), monotonic=lambda: now[0])
    requests.submit("prod", "PING", "old", "{}")
    now[0] = LIFETIME_SECONDS + 1
    requests.submit("prod", "PING", "new", "{}")
    assert [found.id for found in requests.pop([None])] == ["new"]


def test_what_somebody_waited_for_ends_with_the_process_and_a_launch_does_not(
    organization: Organization, tmp_path: Path
) -> None:
    organization.requests.submit("prod", "PING", "waited", "{}")
    organization.requests.submit("prod", "TERMINATE_RUN", "end", "{}", queue="gpu")
    after = reopened(organization, tmp_path)
    assert [(found.id, found.queue) for found in after.requests.pop([None, "gpu"])] == [("end", "gpu")]
    again = reopened(after, tmp_path)
    assert again.requests.pending() == 0, "what was popped is not handed out again"
    again.close()


def test_an_agent_is_running_for_ninety_seconds_after_its_heartbeat(tmp_path: Path) -> None:
    now = [1000.0]
    agents = Agents(Database(tmp_path / "db"), clock=lambda: now[0])
    agents.heard("prod", report("one"))
    now[0] += RUNNING_SECONDS - 1
    assert agents.all()[0].status(agents.now()) == "RUNNING"
    now[0] += 1
    assert agents.all()[0].status(agents.now()) == "NOT_RUNNING"
    agents.heard("prod", report("two"))
    assert [record.report.id for record in agents.all(heard_since=now[0])] == ["two"]
    now[0] += 86_401
    assert agents.all() == (), "an agent that has been silent for a day is not listed"


def test_an_agent_of_several_deployments_is_listed_once(organization: Organization) -> None:
    organization.agents.heard("prod", report("one"))
    organization.agents.heard("other", report("one"))
    assert [record.report.id for record in organization.agents.all()] == ["one"]


def test_a_newer_file_is_refused_in_words_and_left_as_it_is(organization: Organization, tmp_path: Path) -> None:
    organization.close()
    with sqlite3.connect(tmp_path / "organization.sqlite") as connection:
        connection.execute(f"PRAGMA user_version = {len(VERSIONS) + 1}")
    before = (tmp_path / "organization.sqlite").read_bytes()
    with pytest.raises(DataFolderError, match="newer version"):
        Organization(tmp_path)
    assert (tmp_path / "organization.sqlite").read_bytes() == before


def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "organization.sqlite").write_bytes(b"not a database, but long enough to be one" * 100)
    with pytest.raises(DataFolderError, match="not a database"):
        Organization(tmp_path)


@pytest.mark.parametrize(("name", "deployment"), [("other", "prod"), ("local", "staging")])
def test_a_folder_of_another_organization_or_deployment_is_refused(
    organization: Organization, tmp_path: Path, name: str, deployment: str
) -> None:
    organization.close()
    with pytest.raises(DataFolderError, match="holds local/prod"):
        Organization(tmp_path, name, deployment)


@pytest.mark.parametrize("name", ["", "a:b", "a/b", "../x", "hybrid", "-a", "a" * 64])
def test_a_name_that_would_break_tokens_or_paths_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(EmulatorError, match="cannot be the name"):
        Organization(tmp_path, name, "prod")
    with pytest.raises(EmulatorError, match="cannot be the name"):
        Organization(tmp_path, "local", name)


def test_a_full_disk_is_said_in_words_and_nothing_half_done_stays(organization: Organization) -> None:
    organization.locations.put("prod", document("one"), "metadata")
    full(organization)
    with pytest.raises(DataFolderError, match="full"):
        organization.locations.put("prod", document("two"), "x" * 1_000_000)
    assert [record.name for record in organization.locations.all("prod")] == ["one"]
    with pytest.raises(DataFolderError, match="full"):
        organization.requests.submit("prod", "LAUNCH_RUN", "run", "x" * 1_000_000)
    assert organization.requests.pending() == 0, "what is not stored must not be handed out"


def full(organization: Organization) -> None:
    """SQLite's own limit on pages gives the error that a full disk gives."""
    for row in organization._database.rows("PRAGMA page_count"):
        organization._database.rows(f"PRAGMA max_page_count = {row[0]}")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_folder_is_said_in_words(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DataFolderError, match="cannot be used"):
            Organization(tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_threads_that_write_at_once_lose_nothing(organization: Organization) -> None:
    def work(number: int) -> None:
        organization.tokens.create("agent", f"token-{number}")
        organization.locations.put("prod", document(f"location-{number}"), "m")
        organization.agents.heard("prod", report(f"agent-{number}"))

    in_threads(work, 40)
    assert len(organization.tokens.all("agent")) == 40
    assert len(organization.locations.all("prod")) == 40
    assert len(organization.agents.all()) == 40


def in_threads(work: Callable[[int], None], count: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(count)))
