"""Updates that are stopped or killed, and several plugins at once, on the real engine.

The killing loops pick their moments at random (the seed is in the test's name): they can miss a bad moment, so the
slow tier has more of them.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time

import psutil
import pytest

from hybrid.provider import family
from hybrid.workspace import Workspace

pytestmark = pytest.mark.program

FALSE_ALARM = "exited prematurely"

SLEEPERS = """
for name in ("one", "two"):
    Process(name, ProcessArgs(
        name=name, directory=str(RUN / name), secret_environment={"PASSWORD": "swordfish-of-the-test"},
        files={"settings.yaml": "level: 1\\n"}, stop_timeout_seconds=2,
        command=[PYTHON, "-c", "import time; time.sleep(1000)"],
    ))
"""

MUTE = """
Process("mute", ProcessArgs(
    name="mute", directory=str(RUN / "mute"), readiness_url="http://127.0.0.1:9/", readiness_timeout_seconds=100,
    command=[PYTHON, "-c", "import time; time.sleep(1000)"],
))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_plugin_that_is_told_to_end_ends_well(project, number):
    plugin = Workspace.of_this_checkout().root / "hybrid" / "provider" / "plugin" / "pulumi-resource-dagsterhybrid"
    process = subprocess.Popen([plugin, "127.0.0.1:9"], env=project.environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert int(process.stdout.readline()) > 0, "the first line is the port"

    process.send_signal(number)

    assert process.wait(timeout=10) == 0


def test_two_plugin_processes_under_one_engine_end_without_a_false_alarm(project):
    project.declare("""
for name in ("one", "two"):
    provider = pulumi.ProviderResource("dagsterhybrid", name, {})
    Process(name, ProcessArgs(name=name, directory=str(RUN / name), command=["sleep", "1000"]),
            pulumi.ResourceOptions(provider=provider))
""")

    said = project.up() + project.up() + project.pulumi("preview", "--refresh") + project.destroy()

    assert FALSE_ALARM not in said
    assert "errored" not in said
    assert not project.plugins(), "no plugin outlives its engine"


def test_preview_with_refresh_ends_without_a_false_alarm(project):
    project.declare(SLEEPERS)
    project.up()

    said = project.pulumi("preview", "--refresh")

    assert FALSE_ALARM not in said
    assert "3 unchanged" in said


def test_ctrl_c_ends_a_wait_promptly_and_state_knows_what_was_started(project, eventually):
    project.declare(MUTE)
    engine = project.start("up", "--yes", "--skip-preview")
    eventually(lambda: project.processes("mute"), "the process is started")
    before = time.monotonic()

    engine.send_signal(signal.SIGINT)
    said, _ = engine.communicate(timeout=30)

    assert time.monotonic() - before < 15, "Ctrl-C does not wait for the readiness timeout"
    assert engine.returncode != 0
    assert "Stopped before it was done." in said
    assert FALSE_ALARM not in said
    project.forget_locks()
    project.destroy()
    assert not family.members(project.run_folder / "mute"), "destroy takes away what the stopped up had begun"


def test_a_plugin_whose_engine_was_killed_ends_by_itself(project, eventually):
    project.declare(MUTE)
    engine = project.start("up", "--yes", "--skip-preview")
    eventually(lambda: project.processes("mute"), "the process is started")

    _kill(engine)

    eventually(lambda: not project.plugins(), "the plugin notices that nobody will ask it any more")
    assert len(project.processes("mute")) == 1, "what it had started stands, for the next up to adopt"


@pytest.mark.parametrize("seed", range(5))
def test_an_up_killed_at_a_random_moment_is_finished_by_the_next(project, seed):
    _kill_and_finish(project, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_an_up_killed_at_a_random_moment_is_finished_by_the_next_many_times(project, seed):
    _kill_and_finish(project, seed)


def _kill_and_finish(project, seed):
    moments = random.Random(seed)  # noqa: S311 - moments, not secrets
    project.declare(SLEEPERS)
    for changed in (SLEEPERS, SLEEPERS.replace("swordfish", "marlin")):
        project.declare(changed)
        engine = project.start("up", "--yes", "--skip-preview", "--refresh")
        time.sleep(moments.uniform(0.3, 2.0))  # the random moment itself, not a wait for something
        _kill(engine)
        project.forget_locks()

        project.up()

        for name in ("one", "two"):
            (program,) = project.processes(name)
            assert len(project.supervisors(name)) == 1, f"{name} has one supervisor"
            assert program.pid == project.outputs(name)["pid"], f"state knows {name} as it runs"
            wanted = "marlin-of-the-test" if changed is not SLEEPERS else "swordfish-of-the-test"
            assert program.environ()["PASSWORD"] == wanted, f"{name} runs as declared"
    project.destroy()
    assert not family.members(project.run_folder / "one") + family.members(project.run_folder / "two")
    assert not list(project.run_folder.iterdir())


def _kill(engine):
    """Kill -9 of the engine alone, as a crash would; its children are left to themselves."""
    psutil.Process(engine.pid).kill()
    engine.wait(timeout=10)
