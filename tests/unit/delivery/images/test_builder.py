"""The order of things: what is asked, built, pushed and compared. Docker and the registry are recorded stand-ins; the
real ones are for tests/images."""

from __future__ import annotations

import pytest

from hybrid.containers.docker import Answer, EngineAbsent
from hybrid.delivery.images.builder import Builder, base_digests
from hybrid.delivery.images.content import content_of
from hybrid.delivery.images.errors import (
    BuildFailed,
    ContextError,
    LoginRefused,
    PushFailed,
    RegistryError,
    RegistryUnreachable,
    TagTaken,
)
from hybrid.delivery.images.registry import Described
from hybrid.delivery.images.spec import HASH_LABEL, ImageSpec

pytestmark = pytest.mark.unit

DIGEST = "sha256:" + "a" * 64


class FakeRegistry:
    def __init__(self):
        self.digests, self.all_labels, self.indexes = {}, {}, []

    def digest(self, reference):
        return self.digests.get(reference)

    digest_once = digest

    def described(self, reference):
        labels = self.all_labels.get(reference)
        return None if labels is None else Described(self.digests.get(reference, DIGEST), labels)

    def put_index(self, repository, tag, images, annotations):
        self.indexes.append((repository, tag, list(images), dict(annotations)))
        return "sha256:" + "c" * 64


class FakeDocker:
    """``pushes`` says for each push its exit code and last line."""

    has_buildx = False

    def __init__(self, registry):
        self.registry = registry
        self.calls, self.dockerfiles, self.pushes, self.build_code, self.meanwhile = [], [], [], 0, lambda: None

    def follow(self, arguments, told, check):
        check()
        self.calls.append(list(arguments))
        if arguments[0] == "push":
            code, text = self.pushes.pop(0) if self.pushes else (0, f"t: digest: {DIGEST} size: 5")
            for line in text.splitlines():
                told(line)
            if code == 0:
                self.registry.digests[arguments[1]] = DIGEST
            return code
        file = arguments[arguments.index("--file") + 1]
        from pathlib import Path

        self.dockerfiles.append(Path(file).read_text())
        Path(arguments[arguments.index("--iidfile") + 1]).write_text("sha256:1d")
        self.meanwhile()
        return self.build_code

    def run(self, *arguments, **_):
        self.calls.append(list(arguments))
        return Answer(0, "", "")


@pytest.fixture
def registry():
    return FakeRegistry()


@pytest.fixture
def docker(registry):
    return FakeDocker(registry)


@pytest.fixture
def builder(docker, registry):
    return Builder(lambda: docker, registry, pause=0)


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM python:3.12\nCOPY . /x\n")
    (tmp_path / "a.py").write_text("a = 1\n")
    return ImageSpec("ghcr.io/acme/x", tmp_path, tmp_path / "Dockerfile", secrets={"s": "env:S"}, labels={"l": "1"})


def content(spec):
    return content_of(spec, lambda reference: DIGEST)


def silent(text):
    pass


def test_an_image_that_is_there_is_neither_built_nor_pushed(builder, docker, registry, spec):
    made = content(spec)
    tag = f"ghcr.io/acme/x:{made.tag}"
    registry.digests[tag], registry.all_labels[tag] = DIGEST, {HASH_LABEL: made.hash}

    found = builder.publish(spec, made, silent)
    assert (found.reference, found.built) == (f"ghcr.io/acme/x@{DIGEST}", False)
    assert docker.calls == [], "zero bytes are pushed"


@pytest.mark.parametrize("labels", [{}, {HASH_LABEL: "other"}])
def test_a_tag_with_other_content_is_never_overwritten(builder, docker, registry, spec, labels):
    made = content(spec)
    registry.all_labels[f"ghcr.io/acme/x:{made.tag}"] = labels

    with pytest.raises(TagTaken, match="with other content"):
        builder.publish(spec, made, silent)
    assert docker.calls == [], "nothing is built either"


def test_what_is_built_is_pinned_to_what_was_hashed(builder, docker, spec):
    found = builder.publish(spec, content(spec), silent)
    build, tag, push = docker.calls

    assert found == type(found)(f"ghcr.io/acme/x@{DIGEST}", content(spec).tag, DIGEST, True)
    assert docker.dockerfiles == [f"FROM python:3.12@{DIGEST}\nCOPY . /x\n"]
    assert spec.dockerfile.read_text() == "FROM python:3.12\nCOPY . /x\n", "the team's file stays"
    assert "id=s,env=S" in build, "a secret is named, never given"
    assert f"{HASH_LABEL}={content(spec).hash}" in build
    assert not any("created" in word for word in build), "a time would make each image another one"
    assert tag == ["tag", "sha256:1d", f"ghcr.io/acme/x:{content(spec).tag}"], "tagged when it is complete"
    assert push[0] == "push"


def test_a_failed_build_tags_and_pushes_nothing(builder, docker, spec):
    docker.build_code = 1
    with pytest.raises(BuildFailed):
        builder.publish(spec, content(spec), silent)

    assert [call[0] for call in docker.calls] == ["build"]


def test_a_file_that_changes_during_the_build_stops_it(builder, docker, spec):
    docker.meanwhile = lambda: (spec.context / "a.py").write_text("a = 2\n")

    with pytest.raises(ContextError, match=r"(?s)changed while its image was built.*Nothing was pushed"):
        builder.publish(spec, content(spec), silent)
    assert [call[0] for call in docker.calls] == ["build"], "it gets no tag under which it could be pushed"


def test_a_push_that_is_cut_is_tried_again(builder, docker, spec):
    docker.pushes = [(1, "connection reset by peer")]

    assert builder.publish(spec, content(spec), silent).digest == DIGEST
    assert [call[0] for call in docker.calls].count("push") == 2


def test_a_push_that_stays_cut_says_so(builder, docker, spec):
    docker.pushes = [(1, "unexpected EOF")] * 2

    with pytest.raises(PushFailed, match=r"(?s)unexpected EOF.*what arrived is not sent again"):
        builder.publish(spec, content(spec), silent)


def test_a_registry_that_fails_by_itself_is_told_once_with_the_pauses_that_docker_makes(builder, docker, spec):
    counted = [f"37fd584efe29: Retrying in {left} second{'s' if left > 1 else ''}" for left in (5, 4, 1, 10, 9, 1)]
    docker.pushes = [(1, "\n".join([*counted, "received unexpected HTTP status: 500 Internal Server Error"]))]
    told = []

    with pytest.raises(PushFailed, match="500 Internal Server Error") as failed:
        builder.publish(spec, content(spec), told.append)
    assert "whether its disk is full" in str(failed.value), "docker does not say which fault it is"
    assert "Retrying" not in str(failed.value), "counted seconds would push the reason out of what is shown"
    assert [text.rpartition("again in ")[2] for text in told if "again in" in text] == ["5 s", "10 s"]
    assert [call[0] for call in docker.calls].count("push") == 1, "docker itself tried for most of a minute"


def test_a_refused_push_is_not_tried_again(builder, docker, spec):
    docker.pushes = [(1, "denied: requested access to the resource is denied")]

    with pytest.raises(LoginRefused, match=r"docker login ghcr\.io"):
        builder.publish(spec, content(spec), silent)
    assert [call[0] for call in docker.calls].count("push") == 1


def test_a_registry_with_another_digest_than_the_push_is_not_believed(builder, docker, spec):
    docker.pushes = [(0, "t: digest: sha256:" + "f" * 64 + " size: 5")]

    with pytest.raises(PushFailed, match="is not what was pushed"):
        builder.publish(spec, content(spec), silent)


def test_several_platforms_are_an_index_that_is_put_last(builder, docker, registry, spec):
    spec = ImageSpec(spec.repository, spec.context, spec.dockerfile, platforms=("linux/arm64", "linux/amd64"))
    made = content(spec)
    found = builder.publish(spec, made, silent)

    pushed = [call[1] for call in docker.calls if call[0] == "push"]
    assert pushed == [f"ghcr.io/acme/x:{made.tag}-amd64", f"ghcr.io/acme/x:{made.tag}-arm64"]
    index = ("ghcr.io/acme/x", made.tag, [("linux/amd64", DIGEST), ("linux/arm64", DIGEST)], {HASH_LABEL: made.hash})
    assert registry.indexes == [index]
    assert found.digest == "sha256:" + "c" * 64


def test_a_stop_before_the_push_pushes_nothing(docker, registry, spec):
    class Stopped(Exception):
        pass

    def check():
        if docker.calls:
            raise Stopped

    with pytest.raises(Stopped):
        Builder(lambda: docker, registry, check).publish(spec, content(spec), silent)
    assert not any(call[0] == "push" for call in docker.calls)


class TestBases:
    """Where the digest of a base comes from."""

    def test_the_registry_is_asked(self, docker, registry):
        registry.digests["python:3.12"] = DIGEST
        assert base_digests(registry, lambda: docker)("python:3.12") == DIGEST
        assert base_digests(registry, lambda: docker)(f"x@{DIGEST}") == DIGEST, "a digest needs nobody"

    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            (f'sha256:1d ["mine@{DIGEST}"]', DIGEST),
            ('sha256:1d ["other/mine@' + DIGEST + '"]', "local sha256:1d"),
            ("sha256:1d []", "local sha256:1d"),
        ],
    )
    def test_an_image_that_only_the_engine_has_goes_by_its_id(self, docker, registry, said, expected):
        docker.run = lambda *_, **__: Answer(0, said + "\n", "")

        assert base_digests(registry, lambda: docker)("mine") == expected

    def test_an_image_that_nobody_has_is_an_error(self, docker, registry):
        docker.run = lambda *_, **__: Answer(1, "", "no such image")
        with pytest.raises(RegistryError, match="nowhere to be found"):
            base_digests(registry, lambda: docker)("mine")

    def test_without_an_engine_the_registry_s_own_error_is_told(self, registry):
        registry.digest_once = lambda reference: (_ for _ in ()).throw(RegistryUnreachable("silent"))
        with pytest.raises(RegistryUnreachable, match="silent"):
            base_digests(registry, lambda: (_ for _ in ()).throw(EngineAbsent("none")))("mine")
