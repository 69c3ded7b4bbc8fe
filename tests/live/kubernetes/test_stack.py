"""A stack's whole life in a real cluster: up, a run, no drift, down. In order: each goes on from the one before."""

from __future__ import annotations

import os

import pytest

from hybrid.kubernetes import kinds
from hybrid.kubernetes.session import Cluster
from tests.live.kubernetes.conftest import CONTEXT, LiveStack

pytestmark = [pytest.mark.live, pytest.mark.timeout(3600)]

_FORBIDDEN = (("get", "", "secrets"), ("create", "", "pods/exec"), ("create", "rbac.authorization.k8s.io", "roles"))


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return Cluster(context=os.environ[CONTEXT])


def test_up_ends_with_an_agent_that_runs_and_its_location_loaded(stack: LiveStack) -> None:
    up = stack.hybrid("up", "--yes")
    assert up.code == 0, up.err
    status = stack.hybrid("status", "--json")
    assert status.code == 0, "an agent that runs, and nothing that failed"
    loaded = {each["name"]: each["load_status"] for each in status.document["locations"]}
    assert loaded.get(stack.location) == "LOADED"


def test_a_run_ends_in_success(stack: LiveStack) -> None:
    run = stack.hybrid("run", stack.location, "greeting")
    assert run.code == 0, f"{run.out}\n{run.err}"


def test_a_second_preview_finds_nothing_to_do(stack: LiveStack) -> None:
    preview = stack.hybrid("preview", "--json")
    assert preview.code == 0, preview.err
    assert not preview.document["changes"], "the cluster has what was sent, and adds nothing that looks like drift"


def test_the_agent_may_not_read_secrets_open_shells_or_give_rights(stack: LiveStack, cluster: Cluster) -> None:
    """By the cluster's own authorizer, whichever that is. The context has to be allowed to ask for others."""
    api = "authorization.k8s.io/v1"
    user = f"system:serviceaccount:{stack.name}:{stack.name}-agent"
    for verb, group, resource in _FORBIDDEN:
        plural, _, part = resource.partition("/")
        asked = {"namespace": stack.name, "verb": verb, "group": group, "resource": plural, "subresource": part}
        body = {
            "apiVersion": api,
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": {key: value for key, value in asked.items() if value}},
        }
        said = cluster.ask("say what the agent may do", f"/apis/{api}/subjectaccessreviews", body)
        assert not said["status"]["allowed"], f"the agent may {verb} {resource}"


def test_down_leaves_nothing(stack: LiveStack, cluster: Cluster) -> None:
    down = stack.hybrid("down", "--yes")
    assert down.code == 0, down.err
    assert cluster.find(kinds.NAMESPACE, "", stack.name) is None, "the namespace was the stack's own"
