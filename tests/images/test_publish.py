"""Images built by the real engine and pushed to the real registry: once, and with each fault that a day brings."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hybrid.containers.docker import Docker, EngineAbsent
from hybrid.delivery.images.builder import Builder
from hybrid.delivery.images.errors import BuildFailed, LoginRefused, PushFailed, TagTaken
from hybrid.delivery.images.registry import Registry
from hybrid.delivery.images.spec import HASH_LABEL, ImageSpec
from tests.images.conftest import HELLO

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]


def silent(text):
    pass


def test_the_same_content_is_built_and_pushed_once(builder, registry, read, small):
    first = builder.publish(small, read(small), silent)
    again = builder.publish(small, read(small), silent)

    assert (first.built, again.built) == (True, False), "the registry has it already"
    assert again.reference == first.reference
    assert registry.digest(first.reference) == first.digest, "it can be pulled by its digest"
    labels = registry.labels(first.reference)
    assert labels[HASH_LABEL] == read(small).hash
    assert "org.opencontainers.image.created" not in labels

    (small.context / "data").write_bytes(b"other")
    assert builder.publish(small, read(small), silent).digest != first.digest, "other content is another image"


def test_a_tag_that_somebody_pushed_with_other_content_is_not_overwritten(builder, docker, read, small, registry):
    content = read(small)
    other = replace(small, repository=small.repository)
    (small.context / "data").write_bytes(b"somebody else's")
    local = builder.build(other, read(other), silent)
    taken = f"{small.repository}:{content.tag}"
    docker.run("tag", local, taken)
    docker.run("push", taken)
    before = registry.digest(taken)

    with pytest.raises(TagTaken, match="with other content"):
        builder.publish(small, content, silent)
    assert registry.digest(taken) == before, "theirs is still there"


def test_a_refused_login_is_told_by_build_and_by_push(containers, docker, small, read, tmp_path):
    content = read(small)
    nobody = {**containers.environ, "DOCKER_CONFIG": str(tmp_path)}
    with pytest.raises(LoginRefused, match="docker login"):
        Builder(lambda: docker, Registry(nobody)).publish(small, content, silent)

    # the registry is asked with the right login, docker pushes without
    unknown = Docker(docker.executable, {**docker.environ, "DOCKER_CONFIG": str(tmp_path)})
    with pytest.raises(LoginRefused, match="docker login"):
        Builder(lambda: unknown, Registry(containers.environ)).publish(small, content, silent)


class Cutting:
    """A way to the registry that breaks off after so many bytes, the first ``cuts`` times that so much is sent."""

    def __init__(self, target, after, cuts):
        self._target, self._after, self.cuts = target, after, cuts
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listening.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            for source, sink, counted in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=(source, sink, counted), daemon=True).start()

    def _pump(self, source, sink, counted):
        passed = 0
        try:
            while piece := source.recv(65536):
                passed += len(piece)
                if counted and passed > self._after and self.cuts > 0:
                    self.cuts -= 1
                    break
                sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def cutting(containers, tmp_path):
    host, _, port = containers.registry.partition(":")
    made = []

    def cut(cuts):
        way = Cutting((host, int(port)), 300_000, cuts)
        made.append(way)
        file = Path(containers.environ["DOCKER_CONFIG"]) / "config.json"
        entry = json.loads(file.read_text())["auths"][containers.registry]
        (tmp_path / "config.json").write_text(json.dumps({"auths": {way.address: entry}}))
        return way, {**containers.environ, "DOCKER_CONFIG": str(tmp_path)}

    yield cut
    for way in made:
        way.close()


@pytest.mark.parametrize("cuts", [1, 10_000], ids=["once", "always"])
def test_a_push_that_is_cut_is_retried_and_leaves_no_half_image(docker, small, read, cutting, registry, cuts):
    way, environ = cutting(cuts)
    (small.context / "data").write_bytes(os.urandom(2_000_000))
    through = replace(small, repository=f"{way.address}/{small.repository.partition('/')[2]}")
    pushing = Docker(docker.executable, {**docker.environ, **environ})
    builder = Builder(lambda: pushing, Registry(environ), pushes=1)  # docker's own five attempts take most of a minute
    content = read(through)

    if cuts == 1:
        published = builder.publish(through, content, silent)
        assert way.cuts == 0, "it was cut"
        assert registry.digest(f"{small.repository}@{published.digest}") == published.digest
    else:
        with pytest.raises(PushFailed, match="could not be pushed"):
            builder.publish(through, content, silent)
        assert registry.digest(f"{small.repository}:{content.tag}") is None, "a tag is put last"
    docker.run("image", "rm", "--force", f"{through.repository}:{content.tag}")


def test_a_dockerfile_that_fails_shows_its_step_and_its_last_lines(builder, containers, read, small):
    small.dockerfile.write_text(
        f"FROM {containers.python_image}\nRUN for i in 1 2 3 4 5; do echo line $i; done; echo no luck >&2; exit 7\n"
    )
    with pytest.raises(BuildFailed, match="no luck") as raised:
        builder.publish(small, read(small), silent)

    assert "Step: [2/2] RUN for i" in raised.value.why
    assert len(raised.value.why.splitlines()) <= 31


def test_a_stop_ends_the_build_and_tags_nothing(docker, containers, registry, read, small):
    small.dockerfile.write_text(f"FROM {containers.python_image}\nRUN echo {os.urandom(4).hex()} && sleep 120\n")
    steps = []

    class Stopped(Exception):
        pass

    def check():
        if any("sleep 120" in step for step in steps):
            raise Stopped

    content = read(small)
    with pytest.raises(Stopped):
        Builder(lambda: docker, registry, check).publish(small, content, steps.append)
    assert docker.lines("image", "ls", "--quiet", small.repository) == [], "nothing half-made has a name"
    assert registry.digest(f"{small.repository}:{content.tag}") is None


def test_without_an_engine_an_image_that_is_there_is_still_found(builder, registry, read, small, tmp_path):
    content = read(small)
    made = builder.publish(small, content, silent)

    def absent():
        return Docker.find({"PATH": os.environ["PATH"], "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}, building=True)

    assert Builder(absent, registry).publish(small, content, silent).reference == made.reference
    (small.context / "data").write_bytes(b"new")
    with pytest.raises(EngineAbsent, match="start Docker"):
        Builder(absent, registry).publish(small, read(small), silent)


def test_two_platforms_become_one_index(builder, registry, read, small):
    spec = replace(small, platforms=("linux/amd64", "linux/arm64"))
    made = builder.publish(spec, read(spec), silent)
    manifest = registry.manifest(made.reference)

    assert [entry["platform"]["architecture"] for entry in manifest.document["manifests"]] == ["amd64", "arm64"]
    assert builder.publish(spec, read(spec), silent).built is False


def test_a_step_of_a_foreign_platform_says_how_to_get_emulation(builder, containers, docker, read, small):
    if docker.info().architecture != "amd64" or Path("/proc/sys/fs/binfmt_misc/qemu-s390x").exists():
        pytest.skip("this machine runs programs of that platform")
    small.dockerfile.write_text('FROM scratch\nCOPY data /run\nRUN ["/run"]\n')
    (small.context / "data").write_bytes(b"\x7fELF\x02\x02\x01" + b"\0" * 9 + b"\0\x02\0\x16" + b"\0" * 100)
    (small.context / "data").chmod(0o755)
    spec = replace(small, platforms=("linux/s390x",))

    with pytest.raises(BuildFailed, match="binfmt"):
        builder.publish(spec, read(spec), silent)


def test_a_build_secret_reaches_a_step_and_not_the_image(docker, containers, registry, read, small, tmp_path):
    secret = f"swordfish-{os.urandom(6).hex()}"
    small.dockerfile.write_text(
        f"FROM {containers.python_image}\n"
        f'RUN --mount=type=secret,id=word test "$(cat /run/secrets/word)" = "{secret[:9]}""{secret[9:]}"\n'
    )
    spec = replace(small, secrets={"word": "env:WORD"})
    knowing = Docker(docker.executable, {**docker.environ, "WORD": secret})
    Builder(lambda: knowing, registry).publish(spec, read(spec), silent)
    (tmp_path / "word").write_text(secret)
    by_file = replace(spec, secrets={"word": f"file:{tmp_path}/word"})
    (small.context / "more").write_text("1")
    Builder(lambda: docker, registry).publish(by_file, read(by_file), silent)


def test_the_scaffold_builds_and_its_image_serves_the_location(builder, containers, docker, read, repository):
    spec = ImageSpec(
        repository,
        HELLO,
        arguments={"PYTHON_IMAGE": containers.python_image},
        secrets={"certificates": f"file:{containers.certificates}"} if containers.certificates else {},
    )
    made = builder.publish(spec, read(spec), silent)
    script = (
        "import os, hello, hello.definitions, sys, pathlib;"
        "print(os.getuid(), os.getcwd(), sys.prefix, 'pytest' in str(list(pathlib.Path(sys.prefix).rglob('pytest'))),"
        " len(list(pathlib.Path('/opt/dagster/app/src').rglob('*.pyc'))) > 0,"
        " os.path.exists('/run/secrets/certificates'))"
    )
    said = docker.run("run", "--rm", made.reference, "python", "-c", script, seconds=120).out.split()

    assert said == ["1000", "/opt/dagster/app", "/opt/dagster/venv", "False", "True", "False"], (
        "no root, no development dependencies, compiled, and the certificates stayed behind"
    )
    health = docker.lines("image", "inspect", "--format", "{{json .Config.Healthcheck.Test}}", made.reference)
    assert json.loads(health[0]) == ["CMD", "dagster", "api", "grpc-health-check", "-p", "4000"]


@pytest.mark.parametrize("described_by", ["setup.py", "setup.cfg"])
def test_a_folder_that_setuptools_alone_describes_is_installed(
    builder, containers, docker, read, repository, tmp_path, described_by
):
    package = tmp_path / "numbers_of"
    package.mkdir()
    (package / "__init__.py").write_text("")
    texts = {
        "setup.py": "from setuptools import setup\nsetup(name='numbers-of', version='7.1', packages=['numbers_of'], "
        "install_requires=['tabulate'])\n",
        "setup.cfg": "[metadata]\nname = numbers-of\nversion = 7.1\n"
        "[options]\npackages = numbers_of\ninstall_requires =\n    tabulate\n",
    }
    (tmp_path / described_by).write_text(texts[described_by])
    spec = ImageSpec(
        repository,
        tmp_path,
        arguments={"PYTHON_IMAGE": containers.python_image},
        secrets={"certificates": f"file:{containers.certificates}"} if containers.certificates else {},
    )
    made = builder.publish(spec, read(spec), silent)
    script = (
        "import os, tabulate, numbers_of; from importlib.metadata import version;"
        "print(version('numbers-of'), numbers_of.__file__, *sorted({*os.listdir('.')} - {'__pycache__'}))"
    )
    said = docker.run("run", "--rm", made.reference, "python", "-c", script, seconds=120).out.split()

    assert said == ["7.1", "/opt/dagster/app/numbers_of/__init__.py", "numbers_of", described_by], (
        "what it needs is there, its code is the folder's, and the build has left nothing beside it"
    )
