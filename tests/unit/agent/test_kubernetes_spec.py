"""The settings of an agent on Kubernetes: what is refused, in which words, and which numbers go together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from agent.kubernetes_names import KubernetesNames
from agent.kubernetes_pod import AgentPod, pod_template
from agent.kubernetes_spec import KubernetesAgentSpec
from agent.kubernetes_timing import timing

pytestmark = pytest.mark.unit


def wrong(**said: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        KubernetesAgentSpec.model_validate(said)
    return " ".join(problem["msg"] for problem in caught.value.errors())


def container(**said: Any) -> dict[str, Any]:
    spec = KubernetesAgentSpec.model_validate(said)
    template = pod_template(spec, AgentPod(names=KubernetesNames.of("prod"), settings="a: 1", image="r/agent:1"))
    return template["spec"]["containers"][0]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"namespace": "data"}, "hybrid:kubernetes.namespace"),
        ({"labels": {"team": "data"}}, "hybrid:kubernetes.labels"),
        ({"serviceAccountName": "x"}, "hybrid:kubernetes.codeAccount"),
        ({"serverReplicaCount": 2}, "container_context.k8s.server_replica_count"),
        ({"kubeconfigFile": "/x"}, "service account"),
        ({"environment": {"DAGSTER_CLOUD_AGENT_TOKEN": "x"}}, "as a Secret"),
        ({"environment": {"HTTPS_PROXY": "x"}}, "use `proxy`"),
        ({"architecture": "arm64"}, "amd64 alone"),
        ({"isolated": False}, "two agents are up at once"),
        ({"fullDeployment": False}, "no deployment"),
        ({"replicas": 2, "maxUnavailable": 2}, "all 2 agents go at once"),
        ({"volumeMounts": [{"name": "x", "mountPath": "/x"}]}, "not among `volumes`"),
        ({"volumes": [{"name": "x"}, {"name": "x"}]}, "a `name` of its own"),
        ({"volumes": [{"name": "x", "emptydir": {}}]}, "has no key `emptydir`"),
        ({"place": {"tolerations": [{"kay": "x"}]}}, "has no key `kay`"),
        ({"serverConfig": {"podSpecConfig": {"nodeSelectors": {}}}}, "has no key `nodeSelectors`"),
        ({"serverConfig": {"containerConfig": {"image": "x"}}}, "each location has its own image"),
        ({"runConfig": {"jobSpecConfig": {"ttlSecondsAfterFinished": "soon"}}}, "must be a number"),
        ({"securityContext": {"privileged": "no"}}, "must be true or false"),
        ({"cleanupGraceSeconds": 60}, "could remove them meanwhile"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused_with_what_to_do_instead(said: dict[str, Any], words: str) -> None:
    assert words in wrong(**said)


def test_values_are_not_repeated_in_errors() -> None:
    planted = "swordfish-of-a-test"
    assert planted not in wrong(serverConfig={"containerConfig": {"env": planted}})
    assert planted not in wrong(volumes=[{"name": "x", "hostPath": planted}])


def test_raw_configuration_may_be_written_in_both_manners() -> None:
    for key in ("nodeSelector", "node_selector"):
        KubernetesAgentSpec.model_validate({"runConfig": {"podSpecConfig": {key: {"pool": "runs"}}}})


def test_a_proxy_is_not_asked_for_the_cluster_and_for_code_servers() -> None:
    proxied = container(proxy={"url": "http://proxy.internal:3128", "exceptFor": ["s3.internal"]})
    variables = {each["name"]: each.get("value") for each in proxied["env"]}
    direct = variables["NO_PROXY"].split(",")
    assert {"$(KUBERNETES_SERVICE_HOST)", ".hybrid-prod", ".svc", "s3.internal"} <= set(direct)
    assert "no_proxy" not in variables, "gRPC reads the small ones, and asks the proxy for code servers"


def test_an_agent_is_given_up_only_after_all_its_retries() -> None:
    patient = container(apiTimeoutSeconds=300, apiRetries=9)
    minutes = int(patient["livenessProbe"]["exec"]["command"][-1].split("-mmin -")[1].split(")")[0])
    assert minutes * 60 > 300 * 10 + 2**9, "Dagster+ that does not answer is no reason to load all locations anew"


@given(
    some.integers(5, 3600), some.integers(30, 3600), some.integers(5, 600), some.integers(0, 12), some.integers(0, 500)
)
def test_no_number_undoes_another(server: int, pod: int, timeout: int, retries: int, locations: int) -> None:
    said = timing(server_start=server, pod_start=pod, api_timeout=timeout, api_retries=retries, locations=locations)
    assert said.cleanup_grace > said.first_start > server + pod, "no server is removed whose agent is still starting"
    assert said.progress_deadline > said.first_start, "a rollout is not called failed while locations load"
    assert said.locations_ready > said.first_start
    assert said.silence >= 900


def test_one_location_more_does_not_restart_the_agent() -> None:
    spec = KubernetesAgentSpec()
    assert spec.timing(1).environment() == spec.timing(25).environment() != spec.timing(26).environment()


@pytest.mark.parametrize("stack", ["a", "prod", "a" * 40, "a-" * 19 + "b"])
def test_names_are_what_kubernetes_takes(stack: str) -> None:
    names = KubernetesNames.of(stack)
    made = [names.agent, names.code, names.token_secret, names.registry_secret, names.namespace]
    made += [names.location_account(location) for location in ("hello", "A_b.c", "x" * 100, "_")]
    for name in made:
        assert len(name) <= 63
        assert all(part.isalnum() or part == "-" for part in name)
        assert name == name.lower()
        assert name[0].isalpha()
        assert name[-1] != "-"


def test_two_locations_never_share_an_account() -> None:
    names = KubernetesNames.of("prod")
    accounts = {names.location_account(location) for location in ("a.b", "a_b", "a-b", "A-b")}
    assert len(accounts) == 4, "one would have the other's rights"
