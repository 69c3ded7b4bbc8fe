"""What goes wrong between a folder and its registry, through ``hybrid locations push``: what is said, that nothing is
half done, and that the next run works."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.containers.stand import Containers
from tests.docker.faulty_stack import written
from tests.docker.test_locations_images import DOCKERFILE, PROJECT, Team, actions
from tests.emulated.checkout import HYBRID, until
from tests.ports import free_port
from tests.processes import arguments

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]


class FaultyTeam(Team):
    """A team that also names its environment, and can be interrupted."""

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(HYBRID), "locations", *arguments],
            cwd=self.root,
            env={**os.environ, **self.containers.environ, "HYBRID_ROOT": str(self.root), "NO_COLOR": "1", **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # as from a terminal: what is started in the background of a script is told to ignore Ctrl-C
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def push(self, **more: str) -> tuple[int, Any, str]:
        """Push alpha. What is said is never a traceback."""
        out, err = (process := self.start("push", "dock", "--only", "alpha", "--json", **more)).communicate(timeout=200)
        assert "Traceback" not in err, err
        return process.returncode, json.loads(out) if out else None, err

    def pushed(self) -> str:
        """Push alpha, which must work; the image."""
        code, document, err = self.push()
        assert (code, actions(document)) == (0, {"alpha": "pushed"}), f"the next run works:\n{err}"
        return str(document["images"][0]["reference"])

    def tags(self) -> set[str]:
        listed = self.containers.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
        return {each for each in listed if each.startswith(f"{self.address}/")}

    def clients(self) -> list[psutil.Process]:
        """Docker commands that work for this team."""
        found = []
        for process in psutil.process_iter():
            words = arguments(process)
            if any(self.address in word or str(self.root) in word for word in words) and "docker" in words[0]:
                found.append(process)
        return found


@pytest.fixture
def team(tmp_path: Path, containers: Containers) -> Iterator[FaultyTeam]:
    made = FaultyTeam(tmp_path / "team", containers)
    yield made
    if mine := made.tags():
        containers.run("image", "rm", "--force", *mine)


def _login(team: FaultyTeam, text: str) -> dict[str, str]:
    folder = team.root / "login"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(text)
    return {"DOCKER_CONFIG": str(folder)}


@pytest.mark.parametrize("password", [None, "wrong-password-8153"])
def test_a_registry_that_refuses_the_login_says_how_to_log_in(team: FaultyTeam, password: str | None) -> None:
    auth = base64.b64encode(f"{team.containers.username}:{password}".encode()).decode()
    auths = {} if password is None else {team.containers.registry: {"auth": auth}}
    code, document, err = team.push(**_login(team, json.dumps({"auths": auths})))
    assert code == 1, err
    assert actions(document) == {"alpha": "failed"}
    assert f"docker login {team.containers.registry}" in err, "what to do"
    assert "wrong-password-8153" not in err + json.dumps(document), "the password that failed is still a password"
    assert auth not in err
    assert not team.tags(), "nothing is built for a registry that will not take it"
    team.pushed()


def test_settings_of_docker_that_cannot_be_read_are_named(team: FaultyTeam) -> None:
    code, _, err = team.push(**_login(team, '{"auths": ['))
    assert code != 0
    assert "config.json" in err, f"a login may be in it, and the file is what is to be mended:\n{err}"
    team.pushed()


class Cut:
    """A way to the registry on which connections that send images end after ``budget`` bytes, while it is not None."""

    def __init__(self, target: str, budget: int | None) -> None:
        host, _, port = target.partition(":")
        self._target = (host, int(port))
        self.budget = budget
        self.cuts = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, outwards: bool) -> None:
        sent = 0
        try:
            while data := source.recv(65536):
                sent += len(data)
                if outwards and self.budget is not None and sent > self.budget:
                    self.cuts += 1
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def test_a_push_that_is_always_cut_says_so_and_goes_on_once_the_way_is_whole(team: FaultyTeam) -> None:
    cut = Cut(team.containers.registry, budget=200_000)
    before = team.address
    team.address = before.replace(team.containers.registry, cut.address)
    team.file.write_text(team.file.read_text().replace(before, team.address))
    (team.root / "locations/alpha/noise").write_bytes(os.urandom(3_000_000))
    whole = base64.b64encode(f"{team.containers.username}:{team.containers.password}".encode()).decode()
    login = _login(
        team, json.dumps({"auths": {each: {"auth": whole} for each in (cut.address, team.containers.registry)}})
    )
    try:
        code, document, err = team.push(**login)
        assert cut.cuts, "the way was cut, else this shows nothing"
        assert (code, actions(document)) == (1, {"alpha": "failed"}), err
        assert "could not be pushed" in err
        assert "attempt 2" in err, "it was tried again"
        assert "run the command again" in err, "what to do"
        cut.budget = None
        code, document, err = team.push(**login)
        assert (code, actions(document)) == (0, {"alpha": "pushed"}), err
    finally:
        cut.close()


def test_a_tag_that_is_there_with_other_content_is_left_as_it_is(team: FaultyTeam) -> None:
    code, document, err = team.locations("build", "dock", "--only", "alpha")
    assert code == 0, err
    tag = document["images"][0]["reference"]
    foreign = team.root / "foreign"
    foreign.mkdir()
    (foreign / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /theirs\n")
    team.containers.run("build", "--tag", tag, str(foreign))
    team.containers.run("push", tag)
    theirs = team.containers.run("inspect", "--format", "{{index .RepoDigests 0}}", tag)
    code, document, err = team.push()
    assert (code, actions(document)) == (1, {"alpha": "failed"}), err
    assert "with other content" in err
    assert tag in err, "which tag"
    assert "delete that tag" in err, "what to do"
    team.containers.run("pull", tag)
    assert team.containers.run("inspect", "--format", "{{index .RepoDigests 0}}", tag) == theirs, "it is not replaced"


def _client(folder: Path, script: str) -> str:
    folder.mkdir()
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker").chmod(0o755)
    return str(folder)


def test_an_engine_that_is_absent_or_too_old_is_told_from_none_at_all(team: FaultyTeam) -> None:
    code, _, err = team.push(DOCKER_HOST="unix:///nobody-listens-here.sock")
    assert code == 4, err
    assert "No Docker engine answers" in err
    assert "nobody-listens-here" in err, "where it was looked for"
    assert "DOCKER_HOST" in err, "what may be wrong"
    code, _, err = team.push(PATH=_client(team.root / "empty", "exit 127").replace("empty", "none"))
    assert code == 4, err
    assert "There is no docker command" in err
    said = json.dumps({"Client": {"Version": "19.03.1"}, "Server": {"Version": "19.03.1"}})
    code, _, err = team.push(PATH=_client(team.root / "old", f"echo '{said}'"))
    assert code == 4, err
    assert "19.03.1" in err, "the version that was found"
    assert "20.10" in err, "and the one that is needed"
    team.pushed()


@contextmanager
def _small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system that is soon full."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _registry_at(folder: Path, config: Path) -> tuple[subprocess.Popen[bytes], str]:
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder)}},
        "http": {"addr": address},
    }
    config.write_text(json.dumps(settings))
    process = subprocess.Popen(
        ["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    port = int(address.partition(":")[2])
    until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, seconds=20, what="the registry listens")
    return process, address


def test_a_registry_whose_disk_is_full_is_told_and_takes_the_image_once_it_has_room(
    team: FaultyTeam, tmp_path: Path
) -> None:
    team.write("alpha", "Dockerfile", "FROM scratch\nCOPY . /x\n")
    (team.root / "locations/alpha/noise").write_bytes(os.urandom(3_000_000))
    with _small_disk(tmp_path / "disk", "1m") as disk:
        process, address = _registry_at(disk, tmp_path / "registry.json")
        try:
            before = team.address
            team.address = before.replace(team.containers.registry, address)
            team.file.write_text(team.file.read_text().replace(before, team.address))
            code, document, err = team.push()
            assert (code, actions(document)) == (1, {"alpha": "failed"}), err
            assert "could not be pushed" in err
            assert "500 Internal Server Error" in err, "all that docker passes on of it"
            assert "Retrying in" not in err, "the seconds that docker counts say nothing"
            assert "whether its disk is full" in err, f"what it may be:\n{err}"
            assert "docker tries again in" in err, "somebody who waits for a minute is told why"
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            team.pushed()
        finally:
            process.terminate()
            process.wait()


def test_on_a_full_disk_no_half_of_a_dockerfile_is_left(team: FaultyTeam) -> None:
    folder = team.root / "locations/gamma"
    with _small_disk(folder, "40k"):
        team.write("gamma", "pyproject.toml", PROJECT.format(name="gamma"))
        filling = folder / "filling"
        with suppress(OSError):
            filling.write_bytes(bytes(100_000))
        process = team.start("dockerfile", "dock", "gamma", "--write")
        _, err = process.communicate(timeout=60)
        assert process.returncode == 2, err
        assert "No space left on device" in err
        assert not (folder / "Dockerfile").exists(), "an empty one would be kept, and built from"
        filling.unlink()
        _, err = (process := team.start("dockerfile", "dock", "gamma", "--write")).communicate(timeout=60)
        assert process.returncode == 0, err
        assert "FROM" in (folder / "Dockerfile").read_text()


def test_a_dockerfile_that_fails_shows_its_last_thirty_lines(team: FaultyTeam) -> None:
    team.write("alpha", "Dockerfile", DOCKERFILE + "RUN for i in $(seq 1 60); do echo line $i; done; exit 3\n")
    code, document, err = team.push()
    assert (code, actions(document)) == (1, {"alpha": "failed"}), err
    shown = [line for line in err.splitlines() if line.startswith("line ")]
    assert shown[-1] == "line 60", "the end of what it said"
    assert 25 <= len(shown) <= 30, "thirty lines, one of them how it ended"
    assert "exit code: 3" in err
    assert "[3/3] RUN for i" in err, "which step"
    assert not team.tags(), "and no image of half of it"
    team.write("alpha", "Dockerfile", DOCKERFILE)
    team.pushed()


@pytest.mark.parametrize("target", ["/etc/hostname", "../beta/pyproject.toml", "../../../../etc"])
def test_a_link_out_of_the_context_is_refused(team: FaultyTeam, target: str) -> None:
    (team.root / "locations/alpha/out").symlink_to(target)
    code, _, err = team.push()
    assert code == 3, err
    assert "alpha/out is a link that leads out" in err
    assert ".dockerignore" in err, "the way to leave it out"
    assert not team.tags()
    team.write("alpha", ".dockerignore", "out\n")
    team.pushed()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_TOKEN", "hush-2941"),
        ("INDEX", "https://reader:hush-2941@index.example/simple"),
        ("PLAIN", "ghp_hush2941hush2941hush2941"),
    ],
)
def test_a_secret_in_a_build_argument_is_refused_and_shown_nowhere(team: FaultyTeam, name: str, value: str) -> None:
    arguments = f"    arguments: {{{name}: {json.dumps(value)}}}\n"
    with written(team.file, team.file.read_text() + arguments):
        for command in ("push", "build"):
            code, document, err = team.locations(command, "dock", "--only", "alpha")
            assert code == 3, err
            assert f"The build argument {name} holds a secret" in err
            assert f"env:{name}" in err, "the way that leaves no trace"
            assert "hush" not in err + json.dumps(document), "and its value is repeated nowhere"
    assert not team.tags(), "nothing was built with it"
    team.pushed()


def test_a_build_secret_is_in_no_argument_of_a_process(team: FaultyTeam) -> None:
    team.write(
        "alpha", "Dockerfile", DOCKERFILE + "RUN --mount=type=secret,id=hush sleep 3 && test -s /run/secrets/hush\n"
    )
    with written(team.file, team.file.read_text() + "    secrets: {hush: env:HUSH}\n"):
        process = team.start("push", "dock", "--only", "alpha", "--json", HUSH="hush-2941-value")
        clients = until(team.clients, seconds=60, what="docker builds")
        words = [word for client in clients for word in arguments(client)]
        out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert any("hush" in word for word in words), "docker is told where the secret is"
    assert not any("hush-2941-value" in word for word in words), "everybody can read a process's arguments"
    assert "hush-2941-value" not in out + err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_build_that_is_interrupted_leaves_no_image_and_no_process(team: FaultyTeam, number: signal.Signals) -> None:
    team.write("alpha", "Dockerfile", DOCKERFILE + "RUN echo begun && sleep 120\n")
    process = team.start("push", "dock", "--only", "alpha")
    clients = until(team.clients, seconds=60, what="docker builds")
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode in {130, 143, -number}, f"{process.returncode}: {out}{err}"
    assert "Traceback" not in err, err
    until(lambda: not any(client.is_running() for client in clients), seconds=10, what="docker's client has ended")
    assert not team.tags(), "what is half built has no name"
    team.write("alpha", "Dockerfile", DOCKERFILE)
    team.pushed()


def test_a_push_that_is_killed_is_done_by_the_next(team: FaultyTeam) -> None:
    (team.root / "locations/alpha/noise").write_bytes(os.urandom(3_000_000))
    process = team.start("push", "dock", "--only", "alpha")
    until(lambda: any("push" in arguments(client) for client in team.clients()), seconds=60, what="docker pushes")
    process.kill()
    process.communicate(timeout=30)
    until(lambda: not team.clients(), seconds=60, what="the client that was left alone has ended")
    code, document, err = team.push()
    assert code == 0, err
    assert actions(document)["alpha"] in {"pushed", "unchanged"}
    assert stat.S_ISREG((team.root / "stacks/Pulumi.dock.yaml").stat().st_mode)
