"""`Process` on the real engine: supervised programs through up, refresh, preview and destroy.

Proves what the engine records and what lives on this machine afterwards. It cannot show a reboot (systemd mode is
tested as text only), nor other platforms than the one it runs on.
"""

from __future__ import annotations

import json
import os
import signal
import socket

import pytest

from hybrid.provider import family
from hybrid.provider.runtime import socket_path
from tests.ports import free_port
from tests.processes import arguments

pytestmark = pytest.mark.program

SLEEPER = """
Process("sleeper", ProcessArgs(
    name="sleeper", directory=str(RUN / "sleeper"),
    command=[PYTHON, "-c", "import os, time; print(os.environ['GREETING'], flush=True); time.sleep(1000)"],
    environment={"GREETING": "%(here)s ; hello"},
    secret_environment={"PASSWORD": "swordfish-of-the-test"},
    files={"etc/settings.yaml": "level: 1\\n"},
    remove_on_delete=[str(RUN / "data")],
))
"""


def test_a_second_up_changes_nothing(project):
    project.declare(SLEEPER)
    project.up()
    first = project.outputs("sleeper")

    said = project.up()

    assert "2 unchanged" in said
    assert project.outputs("sleeper")["instance"] == first["instance"], "what runs as declared is left alone"
    assert [process.pid for process in project.processes("sleeper")] == [first["pid"]]


def test_the_program_gets_its_environment_and_files_and_nothing_of_the_shell(project, eventually):
    project.environment["STRAY_CREDENTIAL"] = "of the shell"
    project.declare(SLEEPER)
    project.up()

    (program,) = project.processes("sleeper")

    environment = program.environ()
    assert environment["GREETING"] == "%(here)s ; hello", "the supervisor's own expansions must not touch values"
    assert environment["PASSWORD"] == "swordfish-of-the-test"
    assert "STRAY_CREDENTIAL" not in environment, "a process is the same whichever shell started it"
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert (project.run_folder / "sleeper" / "etc" / "settings.yaml").read_text() == "level: 1\n"
    log = project.run_folder / "sleeper" / "output.log"
    eventually(lambda: "%(here)s ; hello" in log.read_text(), "what the program prints is in its log")


def test_preview_starts_nothing_and_writes_nothing(project):
    project.declare(SLEEPER)

    project.pulumi("preview")

    assert not list(project.run_folder.iterdir()), "a preview changes nothing"


def test_secrets_are_ciphertext_in_state_and_nowhere_on_disk(project):
    project.declare(SLEEPER)
    said = project.up()

    assert "swordfish" not in said
    assert "swordfish" not in project.state_text()
    (recorded,) = [entry for entry in project.state()["resources"] if entry["urn"].endswith("sleeper")]
    assert "ciphertext" in json.dumps(recorded["inputs"]["secretEnvironment"])
    for path in project.run_folder.rglob("*"):
        assert not path.is_file() or b"swordfish" not in path.read_bytes(), f"{path.name} holds the secret"
    for process in project.processes("sleeper") + project.supervisors("sleeper"):
        assert "swordfish" not in " ".join(arguments(process))


def test_a_crashed_program_is_restarted_without_pulumi(project, eventually):
    project.declare(SLEEPER)
    project.up()
    before = project.outputs("sleeper")

    family.send(project.processes("sleeper")[0], signal.SIGKILL)

    def restarted():
        return [process.pid for process in project.processes("sleeper") if process.pid != before["pid"]]

    eventually(restarted, "the supervisor starts it again")
    assert "2 unchanged" in project.up(), "a restart by the supervisor is no drift"
    assert project.outputs("sleeper")["instance"] == before["instance"]


def test_refresh_shows_a_process_that_died_and_up_starts_it_again(project):
    project.declare(SLEEPER)
    project.up()
    for process in project.supervisors("sleeper") + project.processes("sleeper"):
        family.send(process, signal.SIGKILL)

    project.pulumi("refresh", "--yes", "--skip-preview")
    assert project.resource("sleeper") is None, "a dead process is gone"

    project.up()
    assert len(project.processes("sleeper")) == 1


def test_the_orphan_of_a_killed_supervisor_is_drift_and_is_replaced(project, eventually):
    project.declare(SLEEPER)
    project.up()
    (orphan,) = project.processes("sleeper")
    family.send(project.supervisors("sleeper")[0], signal.SIGKILL)
    eventually(lambda: not project.supervisors("sleeper"), "the supervisor is dead")

    project.up()

    assert not family.alive(orphan), "two of it would do the work twice"
    (program,) = project.processes("sleeper")
    assert program.pid == project.outputs("sleeper")["pid"]
    assert len(project.supervisors("sleeper")) == 1


def test_a_file_changed_by_hand_is_put_right(project):
    project.declare(SLEEPER)
    project.up()
    settings = project.run_folder / "sleeper" / "etc" / "settings.yaml"
    settings.write_text("level: 2\n")

    said = project.up()

    assert "1 updated" in said
    assert settings.read_text() == "level: 1\n"


def test_another_environment_restarts_and_another_patience_does_not(project):
    project.declare(SLEEPER)
    project.up()
    first = project.outputs("sleeper")

    project.declare(SLEEPER.replace("files=", "readiness_timeout_seconds=7, files="))
    assert "1 updated" in project.up()
    assert project.outputs("sleeper")["instance"] == first["instance"], "how long we wait is not part of what runs"

    project.declare(SLEEPER.replace("swordfish", "marlin"))
    assert "1 updated" in project.up()
    assert project.outputs("sleeper")["instance"] != first["instance"], "another secret must reach the program"
    assert len(project.processes("sleeper")) == 1


def test_another_directory_replaces(project):
    project.declare(SLEEPER)
    project.up()

    project.declare(SLEEPER.replace('RUN / "sleeper"', 'RUN / "elsewhere"'))
    said = project.up()

    assert "1 replaced" in said
    assert not project.processes("sleeper")
    assert len(project.processes("elsewhere")) == 1


def test_destroy_leaves_no_process_and_no_file(project):
    project.declare(SLEEPER)
    project.up()
    (project.run_folder / "data" / "deep").mkdir(parents=True)
    socket_file = socket_path(project.run_folder / "sleeper")
    assert socket_file.exists()

    project.destroy()

    assert not family.members(project.run_folder / "sleeper")
    assert not list(project.run_folder.iterdir()), "what it wrote, and what it was told to remove, is gone"
    assert not socket_file.exists()
    assert not socket_file.with_suffix(".lock").exists()


def test_destroy_ends_what_the_program_started_and_left(project, eventually):
    project.declare("""
Process("parent", ProcessArgs(
    name="parent", directory=str(RUN / "parent"),
    command=[PYTHON, "-c", "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', "
             "'import time; time.sleep(1000)'], start_new_session=True); time.sleep(1000)"],
))
""")
    project.up()
    eventually(lambda: len(project.processes("parent")) == 2, "parent and child run")

    project.destroy()

    assert not family.members(project.run_folder / "parent"), "a child in a session of its own bears the mark too"


def test_leftovers_of_a_killed_program_are_gone_before_it_starts_again(project, eventually):
    project.declare("""
Process("agent", ProcessArgs(
    name="agent", directory=str(RUN / "agent"), leftover_commands=["code server"],
    command=[PYTHON, "-c", "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', "
             "'import time; time.sleep(1000)  # code server'], start_new_session=True); "
             "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)  # a run'], "
             "start_new_session=True); time.sleep(1000)"],
))
""")
    project.up()

    def of(text):
        found = project.processes("agent")
        return {process.pid for process in found if " ".join(family.command_line(process)).endswith(text)}

    servers = eventually(lambda: of("# code server"), "the code server runs")
    runs = eventually(lambda: of("# a run"), "the run works")
    family.send(family.program(project.run_folder / "agent"), signal.SIGKILL)

    new = eventually(lambda: of("# code server") - servers, "the new agent has a code server of its own")
    assert of("# code server") == new, "the dead agent's code server is gone"
    assert runs <= of("# a run"), "a run in progress is not the next agent's business to kill"


def test_a_program_that_cannot_start_fails_with_the_end_of_its_log(project):
    project.declare("""
Process("broken", ProcessArgs(
    name="broken", directory=str(RUN / "broken"), secret_environment={"PASSWORD": "swordfish-of-the-test"},
    command=[PYTHON, "-c", "import os; raise SystemExit('no home for ' + os.environ['PASSWORD'])"],
))
""")

    said = project.up(succeeds=False)

    assert "broken does not start" in said
    assert "no home for [redacted]" in said
    assert "swordfish" not in said
    assert not family.members(project.run_folder / "broken"), "nothing goes on trying in the dark"


def test_a_command_that_does_not_exist_is_named(project):
    project.declare("""
Process("typo", ProcessArgs(name="typo", directory=str(RUN / "typo"), command=["dagster-clout"]))
""")

    assert "cannot run dagster-clout" in project.up(succeeds=False)


def test_a_wrong_input_is_named_before_anything_happens(project):
    project.declare("""
Process("wrong", ProcessArgs(
    name="wrong", directory="relative", command=[], port=70000, remove_on_delete=[str(Path.home())],
))
""")

    said = project.pulumi("preview", succeeds=False)

    assert "must be an absolute path, not 'relative'" in said
    assert "must have at least one item" in said
    assert "must be a whole number from 1 to 65535, not 70000" in said


def test_a_taken_port_is_named_with_its_holder(project):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        project.declare(f"""
Process("web", ProcessArgs(name="web", directory=str(RUN / "web"), command=["sleep", "1000"], port={port}))
""")
        said = project.up(succeeds=False)

    assert f"Port {port}, which web is to use, is taken." in said
    assert f"(pid {os.getpid()})" in said, "who holds it is said"


def test_up_waits_until_the_program_answers(project):
    port = free_port()
    project.declare(f"""
Process("web", ProcessArgs(
    name="web", directory=str(RUN / "web"), port={port}, readiness_url="http://127.0.0.1:{port}/",
    command=[PYTHON, "-m", "http.server", "{port}", "--bind", "127.0.0.1"],
))
""")
    project.up()

    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
    assert "2 unchanged" in project.up(), "its own port is not taken by somebody else"


@pytest.mark.slow
def test_what_does_not_answer_in_time_fails_but_stays_in_state(project):
    project.declare("""
Process("mute", ProcessArgs(
    name="mute", directory=str(RUN / "mute"), readiness_url="http://127.0.0.1:9/", readiness_timeout_seconds=1,
    command=[PYTHON, "-c", "import time; print('still thinking', flush=True); time.sleep(1000)"],
))
""")

    said = project.up(succeeds=False)

    assert "mute does not answer at http://127.0.0.1:9/ after 1 s." in said
    assert "still thinking" in said
    assert "mute does not answer" in project.up(succeeds=False), "a second up does not take it for ready"
    project.destroy()
    assert not family.members(project.run_folder / "mute"), "destroy knows what a failed up left running"
