"""The resource without registry and engine: what it finds out before a difference is made, and what differs. Builds are
for tests/images."""

from __future__ import annotations

import pytest

from hybrid.delivery.images.errors import ContextError, RegistryUnreachable
from hybrid.delivery.images.registry import Described
from hybrid.delivery.images.spec import HASH_LABEL
from hybrid.errors import HybridError
from hybrid.provider.location_image import LocationImage
from hybrid.provider.properties import UNKNOWN
from hybrid.provider.published_image import PublishedImage

pytestmark = pytest.mark.unit

BASE = "sha256:" + "b" * 64
MADE = "sha256:" + "a" * 64


class FakeImages:
    """Registries in memory: references to digests, and labels. ``down``: none answers."""

    def __init__(self):
        self.digests = {"python:3.12-slim": BASE, "ghcr.io/a/b:1": MADE}
        self.all_labels = {}
        self.down = False
        self.registry = self

    def digest(self, reference):
        if self.down:
            raise RegistryUnreachable("The registry does not answer.")
        return self.digests.get(reference)

    digest_once = digest

    def described(self, reference):
        digest = self.digest(reference)
        labels = self.all_labels.get(reference)
        return None if labels is None else Described(digest, labels)

    def docker(self):
        raise AssertionError("nothing is built here")


@pytest.fixture
def images():
    return FakeImages()


@pytest.fixture
def resource(images):
    return LocationImage(images)


@pytest.fixture
def inputs(resource, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\ndependencies = []\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "x.py").write_text("a = 1\n")
    return resource.definition.complete({"repository": "ghcr.io/acme/x", "context": str(tmp_path)})


def paths(found):
    return [change.path for change in found]


def test_the_files_and_bases_are_found_out_before_a_difference_is_made(resource, inputs, call):
    found = resource.completed(inputs, {}, call)

    assert sorted(found["files"]) == ["pyproject.toml", "src/", "src/x.py"]
    assert found["bases"] == {"python:3.12-slim": BASE}
    assert len(found["contentHash"]) == 64


def test_a_changed_file_is_named_and_nothing_else(resource, inputs, call, tmp_path):
    old = resource.completed(inputs, {}, call)
    (tmp_path / "src" / "x.py").write_text("a = 2\n")
    (tmp_path / "src" / "y.py").write_text("")
    found = resource.diff(old, {}, resource.completed(inputs, old, call))

    assert paths(found) == ['files["src/x.py"]', 'files["src/y.py"]'], "a preview says why it will be built again"
    assert not any(change.replaces for change in found), "an image is not deleted for it"


def test_another_base_is_named(resource, inputs, images, call):
    old = resource.completed(inputs, {}, call)
    images.digests["python:3.12-slim"] = MADE

    assert paths(resource.diff(old, {}, resource.completed(inputs, old, call))) == ['bases["python:3.12-slim"]']


def test_another_dockerfile_outside_of_the_context_shows_as_other_content(resource, inputs, call, tmp_path_factory):
    file = tmp_path_factory.mktemp("elsewhere") / "Dockerfile"
    file.write_text("FROM scratch\n")
    inputs = {**inputs, "dockerfile": str(file)}
    old = resource.completed(inputs, {}, call)
    file.write_text("FROM scratch\nLABEL a=b\n")

    assert paths(resource.diff(old, {}, resource.completed(inputs, old, call))) == ["contentHash"]


def test_another_checkout_another_commit_and_another_source_of_a_secret_change_nothing(
    resource, inputs, call, tmp_path_factory
):
    import shutil

    old = resource.completed(inputs, {}, call)
    elsewhere = tmp_path_factory.mktemp("other") / "checkout"
    shutil.copytree(inputs["context"], elsewhere)
    moved = {
        **inputs,
        "context": str(elsewhere),
        "labels": {"org.opencontainers.image.revision": "2"},
        "secrets": {"a": "env:A"},
    }

    assert resource.diff(old, {}, resource.completed(moved, old, call)) == []


def test_another_repository_is_a_difference_by_itself(resource, inputs, call):
    old = resource.completed(inputs, {}, call)

    assert paths(resource.diff(old, {}, resource.completed({**inputs, "repository": "ghcr.io/acme/y"}, old, call))) == [
        "repository"
    ]


def test_when_the_registry_does_not_answer_the_last_digest_is_kept_with_a_warning(
    resource, inputs, images, call, report
):
    old = resource.completed(inputs, {}, call)
    images.down = True

    assert resource.diff(old, {}, resource.completed(inputs, old, call)) == []
    assert [kind for kind, _ in report.said] == ["warning"], "and it is said"


def test_without_a_last_digest_a_registry_that_does_not_answer_is_an_error(inputs, images, call):
    from hybrid.containers.docker import EngineAbsent

    images.down = True
    images.docker = lambda: (_ for _ in ()).throw(EngineAbsent("no engine"))

    with pytest.raises(RegistryUnreachable):
        LocationImage(images).completed(inputs, {}, call)


def test_what_is_not_known_yet_is_not_hashed(resource, inputs, call):
    found = resource.completed({**inputs, "repository": UNKNOWN}, {}, call)

    assert found["contentHash"] is UNKNOWN
    assert resource.check({**inputs, "repository": UNKNOWN}) == []


@pytest.mark.parametrize(
    ("change", "path", "reason"),
    [
        ({"repository": "ghcr.io/Acme/x"}, "repository", "is no image reference"),
        ({"arguments": {"TOKEN": "x"}}, "arguments", "holds a secret"),
    ],
)
def test_an_input_that_cannot_be_is_named(resource, inputs, change, path, reason):
    (failure,) = resource.check({**inputs, **change})

    assert failure.path == path
    assert reason in failure.reason


def test_a_preview_knows_the_image_when_the_registry_has_it(resource, inputs, images, call):
    given = resource.completed(inputs, {}, call)
    assert "reference" not in resource.foreseen(given), "what is to be built has no digest yet"

    tag = f"ghcr.io/acme/x:{given['contentHash'][:32]}"
    images.digests[tag], images.all_labels[tag] = MADE, {HASH_LABEL: given["contentHash"]}
    assert resource.foreseen(given)["reference"] == f"ghcr.io/acme/x@{MADE}"


def test_a_file_that_changes_after_the_preview_stops_the_update(resource, inputs, call, tmp_path):
    given = resource.completed(inputs, {}, call)
    (tmp_path / "src" / "x.py").write_text("a = 3\n")

    with pytest.raises(ContextError, match="changed since it was looked at"):
        resource.create(given, call)


def test_an_image_that_is_gone_is_gone_and_a_silent_registry_is_an_error(resource, inputs, images, call):
    outputs = {"reference": "ghcr.io/a/b:1"}

    assert resource.read("x", inputs, outputs, call) is not None
    images.digests.clear()
    assert resource.read("x", inputs, outputs, call) is None
    images.down = True
    with pytest.raises(RegistryUnreachable):
        resource.read("x", inputs, outputs, call)


def test_a_published_image_is_known_by_its_digest_in_a_preview(images, call):
    resource = PublishedImage(images)
    given = resource.completed({"image": "ghcr.io/a/b:1"}, {}, call)

    assert resource.foreseen(given) == {"reference": f"ghcr.io/a/b@{MADE}", "digest": MADE}
    assert resource.create(given, call).outputs["reference"] == f"ghcr.io/a/b@{MADE}"


def test_a_tag_that_was_moved_shows_as_a_difference(images, call):
    resource = PublishedImage(images)
    old = resource.completed({"image": "ghcr.io/a/b:1"}, {}, call)
    images.digests["ghcr.io/a/b:1"] = BASE

    assert paths(resource.diff(old, {}, resource.completed({"image": "ghcr.io/a/b:1"}, old, call))) == ["digest"]


def test_a_published_image_that_is_nowhere_is_refused_and_a_silent_registry_keeps_the_last(images, call, report):
    resource = PublishedImage(images)
    with pytest.raises(HybridError, match="There is no image"):
        resource.completed({"image": "ghcr.io/a/c:1"}, {}, call)

    old = resource.completed({"image": "ghcr.io/a/b:1"}, {}, call)
    images.down = True
    assert resource.completed({"image": "ghcr.io/a/b:1"}, old, call)["digest"] == MADE
    with pytest.raises(RegistryUnreachable):
        resource.completed({"image": "ghcr.io/a/b:2"}, old, call)
