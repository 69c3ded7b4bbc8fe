"""What a change restarts the agent on Kubernetes for, as a preview can say it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from agent.kubernetes_names import KubernetesNames
from agent.kubernetes_pod import AgentPod, pod_template
from agent.kubernetes_spec import KubernetesAgentSpec
from stacks.restarts import agent_restarts

pytestmark = pytest.mark.unit

PLANTED = "swordfish-of-a-test"
URN = "urn:pulumi:prod::hybrid::dagsterhybrid:agent:KubernetesAgent$kubernetes:{}"
DEPLOYMENT = URN.format("apps/v1:Deployment::agent-deployment")
SETTINGS = URN.format("core/v1:ConfigMap::agent-settings")


def inputs(settings: str = "a: 1", version: str = "7", **said: Any) -> dict[str, Any]:
    spec = KubernetesAgentSpec.model_validate({"environment": {"STAGE": PLANTED}, **said})
    pod = AgentPod(names=KubernetesNames.of("prod"), settings=settings, image=spec.image, token_version=version)
    return {"metadata": {}, "spec": {"replicas": spec.replicas, "template": pod_template(spec, pod)}}


def reasons(urn: str, old: dict[str, Any], new: dict[str, Any], operation: str = "update") -> tuple[str, ...]:
    found = agent_restarts(urn, operation, ["spec"], old, new)
    assert PLANTED not in repr(found), "a reason names what changed, and shows no value"
    return found


def test_the_same_pods_go_on() -> None:
    assert reasons(DEPLOYMENT, inputs(), inputs()) == ()
    assert reasons(DEPLOYMENT, inputs(), {**inputs(), "metadata": {"labels": {"a": "b"}}}) == ()


def test_each_reason_is_named() -> None:
    assert reasons(DEPLOYMENT, inputs(), inputs(version="8")) == ("a restart or a new token",)
    assert reasons(DEPLOYMENT, inputs(), inputs(restarts=1)) == ("a restart or a new token",)
    assert reasons(DEPLOYMENT, inputs(), inputs(image="r/agent:2")) == ("`image` of its container",)
    other = inputs(environment={"STAGE": "other"})
    assert reasons(DEPLOYMENT, inputs(), other) == ("the variable STAGE",)
    assert reasons(DEPLOYMENT, inputs(), inputs(place={"nodeSelector": {"a": "b"}})) == ("`nodeSelector` of its pods",)


def test_other_settings_are_named_by_the_step_of_their_config_map() -> None:
    assert reasons(DEPLOYMENT, inputs(), inputs(settings="a: 2")) == ()
    old, new = ({"data": {"dagster.yaml": f"a: 1\nsecret: {value}\n"}} for value in (PLANTED, "other"))
    assert reasons(SETTINGS, old, new) == ("`secret` of its dagster.yaml",)


def test_what_a_preview_does_not_know_yet_is_said_so() -> None:
    hidden = deepcopy(inputs())
    hidden["spec"]["template"] = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # Pulumi's word for what is not known
    assert reasons(DEPLOYMENT, inputs(), hidden) == ("its pods, as far as only the update itself knows them",)
    assert reasons(DEPLOYMENT, inputs(), inputs(), "create-replacement") == ("`metadata` of its Deployment",)
