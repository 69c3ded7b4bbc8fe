"""Which docker is taken, and what is said when none serves. The clients are scripts that answer as docker does; a real
engine is for tests/images."""

from __future__ import annotations

import json
import os
import threading
import time

import pytest

from hybrid.containers.docker import Docker, DockerFailed, EngineAbsent, EngineTooOld, version_of
from hybrid.containers.host import address_from_containers
from hybrid.errors import HybridError
from tests.processes import runs

pytestmark = pytest.mark.unit


class Client:
    """A docker in a folder of its own. ``server`` None: no engine answers it."""

    def __init__(self, folder, *, client="20.10.24+dfsg1", server="20.10.24+dfsg1", buildx=False, body=""):
        folder.mkdir()
        self.path = folder / "docker"
        version = json.dumps({"Client": {"Version": client}, "Server": server and {"Version": server}})
        end = "exit 0" if server else "echo Cannot connect >&2; exit 1"
        self.path.write_text(
            f"#!/bin/sh\ncase \"$1\" in\nversion) echo '{version}'; {end};;\n"
            f"buildx) exit {0 if buildx else 1};;\n{body}\n*) exit 64;;\nesac\n"
        )
        self.path.chmod(0o755)


def environ(*clients):
    return {"PATH": os.pathsep.join([*(str(client.path.parent) for client in clients), "/usr/bin", "/bin"])}


def ended(process, seconds=20):
    """Whether it ends in time: a killed one is still there until the kernel has come round to it."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if not runs(process):
            return True
        time.sleep(0.01)
    return False


def only(*clients):
    """Without the machine's own docker."""
    return {"PATH": os.pathsep.join(str(client.path.parent) for client in clients)}


def test_the_first_that_an_engine_answers_is_taken(tmp_path):
    deaf, good = Client(tmp_path / "a", server=None), Client(tmp_path / "b")

    assert Docker.find(environ(deaf, good)).executable == good.path


def test_for_building_one_without_buildkit_is_passed_over(tmp_path):
    bare, good = Client(tmp_path / "a", client="28.2.2"), Client(tmp_path / "b")

    assert Docker.find(environ(bare)).executable == bare.path, "it serves for everything else"
    found = Docker.find(environ(bare, good), building=True)
    assert found.executable == good.path
    assert found.environ["DOCKER_BUILDKIT"] == "1", "up to version 22 it must be asked for"


def test_for_building_buildx_makes_a_new_client_good(tmp_path):
    client = Client(tmp_path / "a", client="28.2.2", buildx=True)

    assert Docker.find(environ(client), building=True).has_buildx


def test_a_client_twice_on_path_is_asked_once(tmp_path):
    client = Client(tmp_path / "a", server=None)
    (tmp_path / "b").symlink_to(tmp_path / "a")

    with pytest.raises(EngineAbsent):
        Docker.find({"PATH": f"{tmp_path}/a{os.pathsep}{tmp_path}/b"})
    assert client.path.exists()


def test_no_client_and_no_engine_are_told_apart(tmp_path):
    with pytest.raises(EngineAbsent, match=r"(?s)no docker command.*install Docker"):
        Docker.find({"PATH": str(tmp_path)})
    with pytest.raises(EngineAbsent, match=r"(?s)No Docker engine answers.*Cannot connect.*DOCKER_HOST"):
        Docker.find(only(Client(tmp_path / "a", server=None)))


@pytest.mark.parametrize(
    ("client", "server", "part"),
    [("20.10.1", "19.03.9", "engine"), ("19.03.9", "28.0.0", "client"), ("nonsense", "28.0.0", "client")],
)
def test_one_that_is_too_old_is_told_with_both_versions(tmp_path, client, server, part):
    old = Client(tmp_path / "a", client=client, server=server)

    with pytest.raises(EngineTooOld, match=rf"(?s){part} is too old.*20\.10 is needed"):
        Docker.find(only(old), building=True)


def test_a_new_client_without_buildx_says_what_to_install(tmp_path):
    with pytest.raises(EngineTooOld, match=r"(?s)has no buildx plugin.*docker-buildx"):
        Docker.find(only(Client(tmp_path / "a", client="28.2.2")), building=True)


def test_that_one_is_too_old_says_more_than_that_another_is_deaf(tmp_path):
    clients = Client(tmp_path / "a", server=None), Client(tmp_path / "b", server="18.09")

    with pytest.raises(EngineTooOld):
        Docker.find(only(*clients))


def test_a_failed_command_shows_what_docker_said_without_secrets(tmp_path):
    token = "agent:acme:" + "0f" * 12
    client = Client(tmp_path / "a", body=f"pull) echo no luck with {token} >&2; exit 3;;")
    docker = Docker.find(environ(client))

    with pytest.raises(DockerFailed, match="no luck") as raised:
        docker.run("pull", "x")
    assert token not in raised.value.sentence()
    assert docker.run("pull", "x", check=False).code == 3, "unless the caller judges for itself"


def test_a_command_that_hangs_is_ended(tmp_path):
    docker = Docker.find(environ(Client(tmp_path / "a", body="events) exec sleep 60;;")))

    with pytest.raises(DockerFailed, match="did not end in"):
        docker.run("events", seconds=0.2)


def test_lines_are_told_as_they_come(tmp_path):
    docker = Docker.find(environ(Client(tmp_path / "a", body="push) echo one; echo two >&2; exit 5;;")))
    told = []

    assert docker.follow(["push"], told.append, lambda: None) == 5
    assert told == ["one", "two"]


def test_a_command_that_is_followed_ends_with_its_children_when_it_is_stopped(tmp_path):
    body = f"build) sleep 60 & echo $! > {tmp_path}/child; echo started; wait;;"
    docker = Docker.find(environ(Client(tmp_path / "a", body=body)))
    started = threading.Event()

    def check():
        if started.is_set():
            raise HybridError("stopped")

    with pytest.raises(HybridError, match="stopped"):
        docker.follow(["build"], lambda line: started.set(), check)
    child = int((tmp_path / "child").read_text())
    assert ended(child), "a build that nobody waits for must not go on"


@pytest.mark.parametrize(
    ("text", "version"), [("20.10.24+dfsg1", (20, 10)), ("28.5", (28, 5)), ("", None), ("dev", None)]
)
def test_a_version_is_read_as_far_as_it_counts(text, version):
    assert version_of(text) == version


def info(**said):
    return f"info) echo '{json.dumps({'ServerVersion': '28.0.1', 'Architecture': 'aarch64', **said})}';;"


def test_the_engine_s_architecture_is_spelled_as_platforms_do(tmp_path):
    docker = Docker.find(environ(Client(tmp_path / "a", body=info())))

    assert (docker.info().version, docker.info().architecture, docker.info().desktop) == ("28.0.1", "arm64", False)


def test_an_engine_that_went_away_is_absent(tmp_path):
    docker = Docker.find(environ(Client(tmp_path / "a", body='info) echo \'{"ServerErrors": ["gone"]}\'; exit 1;;')))

    with pytest.raises(EngineAbsent, match="gone"):
        docker.info()


def test_containers_reach_this_machine_by_the_gateway_and_on_docker_desktop_by_its_name(tmp_path):
    linux = Client(tmp_path / "a", body=info() + "\nnetwork) echo; echo fe80::1; echo 172.17.0.1;;")
    desktop = Client(tmp_path / "b", body=info(OperatingSystem="Docker Desktop"))

    assert address_from_containers(Docker.find(environ(linux))) == "172.17.0.1"
    assert address_from_containers(Docker.find(environ(desktop))) == "host.docker.internal"


def test_an_engine_without_that_network_is_told(tmp_path):
    bare = Client(tmp_path / "a", body=info() + "\nnetwork) echo;;")

    with pytest.raises(HybridError, match=r"(?s)`bridge` has no gateway.*daemon\.json"):
        address_from_containers(Docker.find(environ(bare)))
