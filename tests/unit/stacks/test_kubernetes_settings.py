"""What the stack file says of a cluster: what is refused, and how it is told."""

from __future__ import annotations

from typing import Any

import pytest

from hybrid.engine.helm_chart import helm_values
from hybrid.engine.stack import Stack
from hybrid.errors import SettingsError, UsageError
from hybrid.workspace import Workspace
from stacks.identity import StackIdentity
from stacks.kubernetes_facts import KubernetesFacts
from stacks.settings import Settings, parse

pytestmark = pytest.mark.unit

BASE: dict[str, Any] = {
    "organization": "acme",
    "agent": {"kind": "kubernetes"},
    "registry": {"address": "r.acme.example/data"},
    "kubernetes": {"context": "prod-cluster"},
}


def read(**changed: Any) -> Settings:
    return parse({**BASE, **changed}, stack="prod", source="stacks/Pulumi.prod.yaml")


def wrong(**changed: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        read(**changed)
    return str(caught.value)


def test_a_cluster_and_an_agent_in_it_belong_together() -> None:
    assert "belong together" in wrong(kubernetes=None)
    assert "belong together" in wrong(agent={"kind": "docker"})
    assert "name an `organization`" in wrong(organization=None), "pods do not reach this machine"
    assert "registry.address" in wrong(registry=None)


def test_the_context_is_always_said() -> None:
    assert "hybrid:kubernetes.context: it is needed" in wrong(kubernetes={}), "the current one changes by itself"


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ({"context": "a b"}, "context"),
        ({"kubeconfig": "kube/config"}, "kubeconfig"),
        ({"server": "http://k8s.example"}, "server"),
        ({"name": "A"}, "name"),
        ({"name": "a" * 41}, "name"),
        ({"namespace": {"name": "a.b"}}, "namespace.name"),
        ({"namespace": {"name": "a" * 64}}, "namespace.name"),
        ({"labels": {"hybrid.dagster/stack": "x"}}, "labels"),
        ({"labels": {"agent_id": "x"}}, "labels"),
        ({"labels": {"team": "a b"}}, "labels.team"),
        ({"locationNamespaces": ["a", "a"]}, "locationNamespaces"),
        ({"codeAccount": {"name": "x", "annotations": {"a": "b"}}}, "codeAccount"),
        ({"kubeContext": "x"}, "kubeContext"),
    ],
    ids=str,
)
def test_a_wrong_key_is_named(place: dict[str, Any], key: str) -> None:
    message = wrong(kubernetes={"context": "c", **place})
    assert f"hybrid:kubernetes.{key}" in message
    assert "pattern" not in message, "nobody reads those"


def test_names_follow_the_stack_unless_the_settings_say_others() -> None:
    workspace = Workspace.of_this_checkout()
    names = KubernetesFacts(StackIdentity.of("prod", read(), workspace)).names
    assert (names.base, names.namespace) == ("hybrid-prod", "hybrid-prod")
    said = {"context": "c", "name": "data", "namespace": {"name": "analytics", "adopt": True}}
    names = KubernetesFacts(StackIdentity.of("prod", read(kubernetes=said), workspace)).names
    assert (names.agent, names.namespace) == ("data-agent", "analytics")


def test_values_for_helm_are_a_file_with_what_the_chart_is_not_told_above_them() -> None:
    workspace = Workspace.of_this_checkout()
    agent = {"kind": "kubernetes", "allowedLocations": ["hello"]}
    text = helm_values(Stack(StackIdentity.of("prod", read(agent=agent), workspace), ()))
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert any("allowedLocations" in line for line in comments)
    assert any("hybrid-prod-agent-token" in line for line in comments), "the chart wants the Secret to be there"
    assert "deployments:\n  - prod" in text
    local = Stack(StackIdentity.of("local", parse({}, stack="local", source="x"), workspace), ())
    with pytest.raises(UsageError, match="on Kubernetes alone"):
        helm_values(local)
