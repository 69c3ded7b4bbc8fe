"""``KubernetesLaunchCheck`` against a cluster faked at the level of HTTP and a registry of this module."""

from __future__ import annotations

import pytest

from hybrid.delivery.images.errors import RegistryError
from hybrid.errors import NotReadyError
from hybrid.kubernetes.errors import KubernetesUnreachable
from hybrid.provider.kubernetes_launch_check import DEFINITION, KubernetesLaunchCheck
from hybrid.provider.kubernetes_place import Doors
from tests.unit.kubernetes.fake_cluster import NAMESPACE, Fake, served, write_kubeconfig

pytestmark = pytest.mark.unit

IMAGE = "registry.test/hello@sha256:" + "a" * 64


class Registry:
    def __init__(self):
        self.answer = ("linux/amd64",)

    def platforms(self, image):
        assert image == IMAGE
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Shared:
    def __init__(self):
        self.doors, self.registry = Doors(), Registry()


@pytest.fixture
def fake(tmp_path):
    with served(Fake(), tmp_path) as fake:
        fake.put("namespaces", NAMESPACE, namespace="")
        fake.put("nodes", "n", namespace="", labels={"kubernetes.io/arch": "amd64"})
        for plural, name in {"secrets": "db", "configmaps": "settings", "serviceaccounts": "code",
                             "persistentvolumeclaims": "data"}.items():  # fmt: skip
            fake.put(plural, name)
        yield fake
    assert fake.unknown == [], "something was asked that an API server of this kind is not asked"


@pytest.fixture
def shared():
    return Shared()


@pytest.fixture
def resource(shared):
    return KubernetesLaunchCheck(shared)


@pytest.fixture
def inputs(fake):
    given = {"kubeconfig": fake.kubeconfig, "namespace": NAMESPACE, "location": "hello", "image": IMAGE,
             "serviceAccounts": ["code"], "secrets": ["db"], "configMaps": ["settings"],
             "claims": ["data"]}  # fmt: skip
    return DEFINITION.complete(given)


def refusal(resource, inputs, call):
    with pytest.raises(NotReadyError, match="could not launch the code location hello") as caught:
        resource.create(inputs, call)
    assert "The agent was not told of it" in caught.value.why
    return caught.value.why


def test_what_can_be_launched_passes_and_nothing_is_changed(fake, resource, inputs, call):
    made = resource.create(inputs, call)
    assert made.id == "hello"
    assert made.outputs["findings"] == []
    assert all(call.startswith(("get ", "list nodes")) for call in fake.calls)


@pytest.mark.parametrize("given", ["serviceAccounts", "secrets", "configMaps", "claims"])
def test_each_name_that_is_not_there_is_told(resource, inputs, call, given):
    why = refusal(resource, inputs | {given: ["gone"]}, call)
    assert f"gone does not exist in the namespace {NAMESPACE}" in why


def test_all_that_is_wrong_is_told_at_once(resource, shared, inputs, call):
    shared.registry.answer = None
    why = refusal(resource, inputs | {"secrets": ["a", "b"]}, call)
    assert "The secret a does not exist" in why
    assert "The secret b does not exist" in why
    assert f"The image {IMAGE} is not in its registry." in why


def test_a_namespace_that_is_not_there_is_told_and_not_each_name_in_it(resource, inputs, call):
    why = refusal(resource, inputs | {"namespace": "team-z"}, call)
    assert "The namespace team-z does not exist." in why
    assert "secret" not in why


def test_an_image_for_another_architecture_than_the_nodes_is_told(resource, shared, inputs, call):
    shared.registry.answer = ("linux/arm64/v8",)
    assert f"The image {IMAGE} is for linux/arm64/v8, the node is linux/amd64." in refusal(resource, inputs, call)
    arm = [{"kubernetes.io/arch": "arm64"}]
    assert resource.create(inputs | {"nodeSelectors": arm}, call).outputs["findings"] == []
    both = [{"kubernetes.io/arch": "arm64"}, {"kubernetes.io/arch": "amd64"}]
    assert "is for linux/arm64/v8" in refusal(resource, inputs | {"nodeSelectors": both}, call), "runs count, too"


def test_an_image_for_amd64_is_told_where_all_nodes_are_of_arm(fake, resource, shared, inputs, call):
    fake.put("nodes", "n", namespace="", labels={"kubernetes.io/arch": "arm64"})
    shared.registry.answer = ("linux/amd64",)
    assert f"The image {IMAGE} is for linux/amd64, the node is linux/arm64." in refusal(resource, inputs, call)


def test_what_could_not_be_found_out_is_said_and_no_error(fake, resource, shared, inputs, call, report):
    for what in ("get namespaces", "get secrets", "list nodes"):
        fake.refuse(what)
    shared.registry.answer = RegistryError("no login")
    found = resource.create(inputs, call).outputs["findings"]
    assert len(found) == 4
    assert [text for kind, text in report.said if kind == "info"] == found


def test_a_cluster_that_cannot_be_asked_is_an_error_of_its_own(resource, inputs, call, tmp_path):
    path = write_kubeconfig(tmp_path / "down", "http://no-such-host.invalid:1", "t")
    with pytest.raises(KubernetesUnreachable):
        resource.create(inputs | {"kubeconfig": str(path)}, call)


def test_in_a_preview_nothing_is_asked_and_a_wrong_image_is_said(fake, resource, inputs):
    assert resource.check(inputs) == []
    assert [failure.path for failure in resource.check(inputs | {"image": "NOT AN IMAGE"})] == ["image"]
    assert fake.calls == []
