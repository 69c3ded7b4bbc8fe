"""Standing up and taking away, in a folder of its own beside the one that other tests use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.containers import engine, registry, stand
from tests.containers.fixtures import contents
from tests.containers.home import FOLDER_VARIABLE, Home
from tests.containers.stand import Containers
from tests.processes import arguments

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def environ(containers: Containers, tmp_path: Path) -> dict[str, str]:
    """An environment in which the engine is another's and nothing else stands."""
    return {**containers.environ, FOLDER_VARIABLE: str(tmp_path / "home")}


@pytest.fixture
def home(environ: dict[str, str]) -> Iterator[Home]:
    """The folder; what stands in it belongs to a found engine, which is never stopped."""
    made = Home.of(environ)
    yield made
    stand.down(made, environ, purge=True)


@pytest.fixture
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A folder for an engine of the test's own."""
    if os.geteuid() != 0:
        pytest.skip("only root may start an engine")
    home = Home(tmp_path_factory.mktemp("e"))
    yield home
    engine.stop(home)


def _as_found(home: Home) -> None:
    """The engine of the notes counts as one that was there before."""
    notes = home.notes()
    notes["engine"]["started"] = False
    home.note(notes)


def _up_command(environ: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.containers", "up", "--export"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_three_at_once_stand_up_one_and_a_repetition_takes_under_a_second(environ: dict[str, str], home: Home) -> None:
    commands = [_up_command(environ) for _ in range(3)]
    answers = [command.communicate(timeout=240) for command in commands]
    assert [command.returncode for command in commands] == [0, 0, 0], f"all must succeed: {answers}"
    assert len({out for out, _ in answers}) == 1, "all must be told the same registry"
    assert "export HYBRID_TEST_REGISTRY=127.0.0.1:" in answers[0][0], "the exports are what a shell evaluates"
    begun = time.process_time()
    again = stand.up(home, environ)
    assert time.process_time() - begun < 1, "a repetition must only look"
    assert f"HYBRID_TEST_REGISTRY={again.registry}" in answers[0][0], "and find what stands"


def test_the_registry_wants_the_password_which_no_command_line_shows(environ: dict[str, str], home: Home) -> None:
    found = stand.up(home, environ)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"http://{found.registry}/v2/", timeout=5)
    wrong = registry.Registry(found.registry, found.username, "wrong", "process")
    assert wrong.status("/v2/") == 401, "a wrong password must be refused"
    assert registry.Registry(found.registry, found.username, found.password, "process").answers(), "the right one goes"
    settings = home.docker_config / "config.json"
    assert settings.stat().st_mode & 0o777 == 0o600, "the login is for its user alone"
    assert found.registry in json.loads(settings.read_text())["auths"], "Docker must find the login"
    for process in psutil.process_iter(["cmdline"]):
        assert not any(found.password in part for part in process.info["cmdline"] or []), "a password in arguments"


def test_down_takes_its_own_and_leaves_a_found_engine_as_it_was(
    environ: dict[str, str], home: Home, clean_engine: Containers
) -> None:
    before = contents(clean_engine)
    images = set(clean_engine.run("image", "ls", "--quiet", "--no-trunc").split())
    found = stand.up(home, environ)
    found.run("tag", found.python_image, f"{found.registry}/deep/er:1")
    _as_found(home)
    removed = stand.down(home, environ, purge=True)
    assert f"registry {found.registry}" in removed, "down must say what it removed"
    assert not registry.Registry(found.registry, found.username, found.password, "process").answers(), "still there"
    assert not home.docker_config.exists(), "the login must go"
    assert contents(clean_engine) == before, "containers, networks and volumes of others are not touched"
    assert found.registry not in clean_engine.run("image", "ls"), "images under our address must go"
    assert images <= set(clean_engine.run("image", "ls", "--quiet", "--no-trunc").split()), "others' must stay"
    assert stand.down(home, environ) == [], "a second down has nothing to do"


def test_a_registry_that_was_killed_comes_back_at_its_address(environ: dict[str, str], home: Home) -> None:
    first = stand.up(home, environ)
    psutil.Process(int((home.path / "registry" / "registry.pid").read_text())).kill()
    second = stand.up(home, environ)
    assert second.registry == first.registry, "what was pushed is named by the address"
    assert second.password != first.password, "a password is made at every start"
    second.run("pull", "--quiet", second.python_image)


def test_the_last_session_that_uses_it_takes_it_away(environ: dict[str, str], home: Home) -> None:
    first, second = os.getpid(), os.getppid()
    stand.up(home, environ, user=first)
    found = stand.up(home, environ, user=second)
    _as_found(home)
    stand.leave(home, environ, first)
    assert stand.standing(home, environ), "another session uses it"
    stand.leave(home, environ, second)
    assert not registry.Registry(found.registry, found.username, found.password, "process").answers(), "nobody does"


def test_what_was_stood_up_by_hand_stays_after_a_session(environ: dict[str, str], home: Home) -> None:
    stand.up(home, environ)
    stand.up(home, environ, user=os.getpid())
    stand.leave(home, environ, os.getpid())
    assert stand.standing(home, environ), "`up` by hand ends with `down` by hand"
    _as_found(home)


def test_the_base_image_makes_environments_for_a_user_without_rights(containers: Containers) -> None:
    script = "python -m venv /tmp/v && /tmp/v/bin/pip --version && python -m ensurepip --version && id -u"
    said = containers.run("run", "--rm", "--user", "1000:1000", containers.python_image, "sh", "-c", script)
    assert said.splitlines()[-1] == "1000", "a numeric user must do without an entry in /etc/passwd"
    assert "python 3." in said, "pip must run in an environment made in the container"
    imports = "import bz2, ctypes, lzma, readline, sqlite3, ssl, uuid, zlib, zoneinfo; zoneinfo.ZoneInfo('Asia/Tokyo')"
    containers.run("run", "--rm", containers.python_image, "python3", "-c", imports)


def test_an_engine_that_was_killed_leaves_nothing_after_stop(apart: Home, containers: Containers) -> None:
    environ = {name: value for name, value in containers.environ.items() if not name.startswith("DOCKER_")}
    started = engine.start(apart, environ, apart=True)
    reached = {**environ, "DOCKER_HOST": started.host}
    _copy_image(containers, reached)
    _docker(containers, reached, "run", "-d", "--network", "none", containers.python_image, "sleep", "600")
    dockerd = psutil.Process(int((apart.path / "dockerd.pid").read_text()))
    below = dockerd.children(recursive=True)
    dockerd.kill()
    dockerd.wait(20)
    mark = str(apart.path)
    assert any(mark in part for process in psutil.process_iter() for part in arguments(process)), "containerd lives on"

    engine.stop(apart)

    _, alive = psutil.wait_procs(below, timeout=20)
    assert alive == [], "processes of the engine are left"
    left = [process for process in psutil.process_iter() if any(mark in part for part in arguments(process))]
    assert left == [], "containerd or a shim is left"
    assert mark not in Path("/proc/self/mounts").read_text(), "a mount is left"
    again = engine.start(apart, environ, apart=True)
    assert again.version == started.version, "stale files must not stop the next start"


def _docker(containers: Containers, environ: dict[str, str], *arguments: str) -> None:
    subprocess.run([str(containers.docker), *arguments], env=environ, check=True, capture_output=True, timeout=120)


def _copy_image(containers: Containers, to: dict[str, str]) -> None:
    saved = [str(containers.docker), "save", containers.python_image]
    with subprocess.Popen(saved, env=dict(containers.environ), stdout=subprocess.PIPE) as given:
        subprocess.run([str(containers.docker), "load"], env=to, stdin=given.stdout, check=True, capture_output=True)
