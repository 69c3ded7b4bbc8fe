"""What goes wrong with a Docker stack, through ``hybrid preview`` and ``hybrid up``: what is said, that nothing is half
written, and that the next run works. Faults between a folder and its registry are in ``test_faults_of_images``."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.stand import Containers
from tests.docker.faulty_stack import CODE, NAME, FaultyStack, interrupted, written
from tests.emulated.checkout import until

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

SLOW = """\
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
COPY . /x
RUN echo begun && sleep 300
"""
LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, containers: Containers, docker_plugin_path: str, environments: Path
) -> Iterator[FaultyStack]:
    """It stands; each test leaves it so that `up` brings it to stand again."""
    root = tmp_path_factory.mktemp("faults")
    place = FaultyStack(root / "checkout", containers, docker_plugin_path, environments)
    try:
        place.up()
        yield place
    finally:
        place.destroy()


def _folder(stack: FaultyStack) -> Path:
    return stack.root / "locations" / "alpha"


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("build.yaml", "registry: a/b\nregistry: c/d\n", "build.yaml, line 2: `registry` is there twice"),
        ("build.faults.yaml", "registry: a/b\nregistry: c/d\n", "build.faults.yaml, line 2: `registry` is there twice"),
        ("container_context.yaml", "docker:\n\tenv_vars: []\n", "container_context.yaml, line 2: not YAML"),
        ("container_context.faults.yaml", LAUGHS, "container_context.faults.yaml: more than 20000 values"),
        ("build.yaml", LAUGHS, "build.yaml: more than 20000 values"),
        ("build.yaml", "registry: ../../x\n", "build.yaml, line 1"),
        ("build.yaml", "registry: 'two words'\n", "build.yaml, line 1"),
        ("build.yaml", "directory: ../../..\n", "build.yaml, line 1"),
    ],
)
def test_build_files_that_are_wrong_are_named_by_line_before_anything_is_done(
    stack: FaultyStack, file: str, text: str, said: str
) -> None:
    before = stack.loaded()
    with written(_folder(stack) / file, text):
        for command in (("preview", NAME), ("up", NAME), ("locations", "render", "--env", NAME)):
            answer = stack.hybrid(*command)
            assert answer.code == 3, f"{command}: {answer.err}"
            assert said in answer.err, f"{command}: the file, and the line where there is one"
            assert (_folder(stack) / file).read_text() == text, f"{command}: the file stays as its owner wrote it"
    assert stack.loaded() == before, "and what stands stands"


def test_an_older_file_that_is_wrong_is_named_by_line(stack: FaultyStack) -> None:
    twice = "locations:\n  - location_name: old\n    location_name: older\n    code_source: {module_name: old}\n"
    for text, said in (
        (twice, "line 3: `location_name` is there twice"),
        ("locations:\n\t- x\n", "line 2: not YAML"),
        (LAUGHS, "more than 20000 values"),
        ("locations:\n  - location_name: ../../up\n    code_source: {module_name: x}\n", "line 2: `location_name`"),
    ):
        with written(stack.root / "locations/old/dagster_cloud.yaml", text):
            answer = stack.hybrid("preview", NAME)
            assert answer.code == 3, answer.err
            assert "locations/old/dagster_cloud.yaml" in answer.err
            assert said in answer.err


def test_names_that_lead_elsewhere_or_meet_in_one_repository_are_refused(stack: FaultyStack) -> None:
    project = (_folder(stack) / "pyproject.toml").read_text()
    for name, said in (
        ("../../up", "code_location_name"),
        ("two words", "code_location_name"),
        ("a..b", "no image repository of its name"),
        ("alpha", "Two folders are the code location 'alpha'"),
        ("ALPHA", "would have one image repository"),
    ):
        text = project.replace('code_location_name = "alpha"', f'code_location_name = "{name}"')
        with written(stack.root / "locations/other/pyproject.toml", text):
            for command in ("preview", "up"):
                answer = stack.hybrid(command, NAME)
                assert answer.code == 3, f"{name}: {answer.err}"
                assert said in answer.err, f"{name}: {answer.err}"


def test_a_secret_in_a_build_argument_reaches_no_state(stack: FaultyStack) -> None:
    argument = 'arguments: {GITHUB_TOKEN: "hush-2941-value"}'
    with written(stack.file, stack.settings(images=argument)):
        for command in ("preview", "up"):
            answer = stack.hybrid(command, NAME)
            assert answer.code != 0
            assert "The build argument GITHUB_TOKEN holds a secret" in answer.err, answer.err
            assert "env:GITHUB_TOKEN" in answer.err, "what to write instead"
            assert "hush-2941" not in answer.out + answer.err
    assert "hush-2941" not in stack.state(), "neither in the state nor in a log of it"


def test_an_engine_that_is_absent_is_said_and_nothing_is_changed(stack: FaultyStack) -> None:
    before = stack.loaded()
    stack.checkout.location("alpha", CODE.replace("{version}", "absent"))
    answer = stack.hybrid("up", NAME, DOCKER_HOST="unix:///nobody-listens-here.sock")
    assert answer.code in {4, 5}, answer.err
    assert "No Docker engine answers" in answer.err, answer.err
    assert "DOCKER_HOST" in answer.err, "what may be wrong"
    assert stack.loaded() == before
    stack.up()
    assert stack.loaded() != before, "with the engine the change is made"


def test_what_somebody_writes_into_a_build_file_while_up_runs_survives(stack: FaultyStack) -> None:
    file = _folder(stack) / "build.faults.yaml"
    text = file.read_text()
    stop, wrote = threading.Event(), 0

    def write_on() -> None:
        nonlocal wrote
        while not stop.wait(0.05):
            held = file.read_text() if file.exists() else ""
            if f"# note {wrote}\n" not in held and wrote:
                return  # lost: the assertion below says so
            wrote += 1
            file.write_text(f"{held}# note {wrote}\n")

    for number in range(2):
        file.write_text("".join(line for line in text.splitlines(keepends=True) if "registry" not in line))
        stack.file.write_text(stack.settings(address=f"{stack.address}/moved{number}"))
        stop.clear()
        wrote = 0
        writer = threading.Thread(target=write_on)
        writer.start()
        answer = stack.hybrid("up", NAME)
        stop.set()
        writer.join()
        held = file.read_text()
        lost = [note for note in range(1, wrote + 1) if f"# note {note}\n" not in held]
        assert wrote > 5, "somebody wrote all the while, else this shows nothing"
        assert not lost, f"round {number}: what was written is lost: {lost} of {wrote}"
        if answer.code != 0:
            assert "changed" in answer.err, f"it stops for that reason only:\n{answer.err}"
            assert "again" in answer.err, "and says to run it again"
    stack.file.write_text(stack.settings())
    stack.up()
    assert stack.address in file.read_text()
    assert "# note 1\n" in file.read_text(), "also after the run that goes through"


@pytest.mark.parametrize("number", [signal.SIGINT])
def test_ctrl_c_during_a_build_is_tidy_and_the_next_up_goes_on(stack: FaultyStack, number: signal.Signals) -> None:
    before, tags = stack.loaded(), stack.tags()
    with written(_folder(stack) / "Dockerfile", SLOW):
        process = stack.start("up", NAME)
        begun = time.monotonic()
        answer = interrupted(process, stack.builds, "docker builds")
        assert answer.code == 130, answer.err
        assert f"`hybrid up {NAME}` goes on from here" in answer.err
        assert "Traceback" not in answer.err, answer.err
        assert time.monotonic() - begun < 90, "it does not wait for the build's five minutes"
        until(lambda: not stack.builds(), seconds=20, what="no docker command is left")
        assert stack.tags() == tags, "what is half built has no name"
    assert stack.loaded() == before, "Dagster+ has what it had"
    stack.checkout.location("alpha", CODE.replace("{version}", "after Ctrl-C"))
    stack.up()
    assert stack.loaded() != before, "and the next run builds"


def test_an_up_killed_during_a_build_is_finished_by_the_next(stack: FaultyStack) -> None:
    before = stack.loaded()
    with written(_folder(stack) / "Dockerfile", SLOW):
        process = stack.start("up", NAME)
        until(stack.builds, seconds=120, what="docker builds")
        process.kill()
        process.communicate(timeout=60)
    stack.checkout.location("alpha", CODE.replace("{version}", "after a kill"))
    stack.up()
    assert stack.loaded() != before, "the next run builds what is there now"
    until(lambda: not stack.builds(), seconds=60, what="no docker command of the killed run is left")


def test_an_up_killed_at_any_moment_is_finished_by_the_next(stack: FaultyStack) -> None:
    chance = random.Random(5)  # noqa: S311 - not for secrets
    for number in range(3):
        stack.checkout.location("alpha", CODE.replace("{version}", f"round {number}"))
        if number:
            stack.containers.run("rm", "--force", f"hybrid-{NAME}-agent")
        process = stack.start("up", NAME)
        moment = chance.uniform(1.0, 12.0)
        deadline = time.monotonic() + moment
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        process.kill()
        process.communicate(timeout=60)
        document = stack.up()
        assert [each["load_status"] for each in document["locations"]] == ["LOADED"], f"killed after {moment:.1f} s"
        agents = stack.containers.run("ps", "--quiet", "--filter", f"name=^hybrid-{NAME}-agent$").split()
        assert len(agents) == 1, f"exactly one agent, killed after {moment:.1f} s"
