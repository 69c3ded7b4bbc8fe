"""`AgentToken`, `CodeLocation` and `AgentReady` on the real engine against the embedded Dagster+.

No agent runs here: that locations load and agents are RUNNING is the emulated tier's to show.
"""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import pytest

from hybrid.plus import AgentGrants
from hybrid.provider import family

pytestmark = pytest.mark.program

TOKEN_AND_LOCATION = """
AgentToken("token", AgentTokenArgs(connection=DAGSTER_PLUS, description="hybrid: test",
           grants=AgentGrants(deployments=["prod"])), AFTER)
CodeLocation("hello", CodeLocationArgs(connection=DAGSTER_PLUS, name="hello",
             document={"code_source": {"package_name": "hello"}}), AFTER)
"""


def test_token_and_location_through_their_whole_life(project, emulator, plus):
    project.declare(emulator + TOKEN_AND_LOCATION)
    said = project.up()
    with plus() as client:
        token = client.agent_token(int(project.outputs("token")["tokenId"]))
        assert token.grants == AgentGrants(deployments=frozenset({"prod"})), "narrowed to what it was granted"
        assert client.location_documents()["hello"]["code_source"] == {"package_name": "hello"}
        assert "ciphertext" in project.outputs("token")["token"]
        assert "agent:" not in said + project.state_text(), "the token itself is nowhere in plain"

        assert "4 unchanged" in project.up(), "a second up changes nothing"

        client.put_location({"location_name": "hello", "code_source": {"package_name": "by_hand"}})
        client.set_agent_grants(token.id, AgentGrants(organization=True))
        assert "2 updated" in project.up(), "what was changed behind Pulumi's back is put right"
        assert client.location_documents()["hello"]["code_source"] == {"package_name": "hello"}
        assert client.agent_token(token.id).grants == token.grants

        client.delete_location("hello")
        client.revoke_agent_token(token.id)
        assert "2 created" in project.up(), "what was deleted behind Pulumi's back is made again"
        assert "hello" in client.location_documents()

        project.declare(emulator)
        assert "2 deleted" in project.up()
        assert not client.location_documents()
        assert all(found.revoked for found in client.agent_tokens() if found.description == "hybrid: test")


@pytest.mark.slow
def test_an_emulator_that_died_keeps_its_things_and_a_wiped_one_gets_them_again(project, emulator, plus):
    project.declare(emulator + TOKEN_AND_LOCATION)
    project.up()
    before = project.outputs("token")["tokenId"]

    def kill() -> None:
        for process in project.supervisors("emulator") + project.processes("emulator"):
            family.send(process, signal.SIGKILL)

    kill()
    said = project.up()

    assert "1 created" in said, "only the emulator itself"
    assert "3 unchanged" in said
    assert project.outputs("token")["tokenId"] == before

    kill()
    shutil.rmtree(project.run_folder / "data")

    assert "3 created" in project.up()
    with plus() as client:
        assert "hello" in client.location_documents()


def test_a_location_is_imported_by_its_id_and_a_token_is_not(project, emulator, plus, port, monkeypatch):
    project.declare(emulator)
    project.up()
    with plus() as client:
        client.put_location({"location_name": "found", "code_source": {"package_name": "found"}})
    token = (project.run_folder / "data" / "api-token").read_text().strip()
    project.environment |= {"DAGSTER_CLOUD_API_TOKEN": token, "DAGSTER_CLOUD_URL": f"http://127.0.0.1:{port}"}

    def importing(*what: str, succeeds: bool) -> str:
        return project.pulumi(
            "import", *what, "--yes", "--skip-preview", "--protect=false", "--generate-code=false", succeeds=succeeds
        )

    importing("dagsterhybrid:index:CodeLocation", "found", "local/prod/found", succeeds=True)
    assert project.outputs("found")["document"]["code_source"] == {"package_name": "found"}
    refused = importing("dagsterhybrid:index:AgentToken", "token", "1", succeeds=False)
    assert "shows a token's value only when it is made" in refused


def test_waiting_for_an_agent_that_never_comes_ends_with_the_reason(project, emulator):
    project.declare(
        emulator + "AgentReady('ready', AgentReadyArgs(connection=DAGSTER_PLUS, agent_label='local', "
        "locations={}, timeout_seconds=1), AFTER)"
    )

    said = project.up(succeeds=False)

    assert "Agent local is not RUNNING after 1 s." in said
    assert "Dagster+ never heard of it." in said
    kept = project.outputs("ready")
    assert (kept["ready"], kept["loaded"], kept["failed"]) == (False, {}, []), "a failed wait is in state, as failed"
    assert "Agent local is not RUNNING" in project.up(succeeds=False), "so the next `up` waits again"


def test_a_location_on_a_queue_that_the_agent_does_not_take_is_refused_before_the_wait(project, emulator):
    project.declare(
        emulator + "AgentReady('ready', AgentReadyArgs(connection=DAGSTER_PLUS, agent_label='local', "
        "locations={'hello': '1'}, queues={'hello': 'gpu'}, agent_queues=AgentQueues(additional=['batch']), "
        "timeout_seconds=60), AFTER)"
    )

    said = project.pulumi("preview", succeeds=False)

    assert "queue 'gpu' is not one that agent local takes" in said, "preview says so, and nothing was waited for"


def test_ctrl_c_ends_the_wait_for_an_agent(project, emulator, eventually):
    project.declare(
        emulator + "AgentReady('ready', AgentReadyArgs(connection=DAGSTER_PLUS, agent_label='local', "
        "locations={}), AFTER)"
    )
    engine = project.start("up", "--yes", "--skip-preview")
    said = ""
    while "waiting for agent local" not in said:
        said += engine.stdout.readline()
    before = time.monotonic()

    engine.send_signal(signal.SIGINT)
    said, _ = engine.communicate(timeout=30)

    assert time.monotonic() - before < 15, "the wait does not go on to its timeout"
    assert "exited prematurely" not in said
    eventually(lambda: not project.plugins(), "the plugin ends")


def test_without_a_token_an_organization_is_refused_with_what_to_set(project):
    project.declare("""
CodeLocation("hello", CodeLocationArgs(
    connection=Connection(url="https://my-team.dagster.cloud", organization="my-team", deployment="prod"),
    name="hello", document={}))
""")

    said = project.up(succeeds=False)

    assert "DAGSTER_CLOUD_API_TOKEN is not set" in said
    assert not list(Path(project.run_folder).iterdir())
