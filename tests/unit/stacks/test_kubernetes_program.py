"""The program of a stack on Kubernetes under a strict recorder: which resources it declares for which settings, who
waits for whom, and where the agent's token goes. That a cluster takes them is for tests/kubernetes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import yaml

from agent.kubernetes_rules import AGENT_RULES
from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.errors import SettingsError
from hybrid.kubernetes.labels import STACK_LABEL
from hybrid.workspace import Workspace
from stacks import kubernetes as platform_module
from stacks.identity import StackIdentity
from stacks.kubernetes import KubernetesPlatform
from stacks.served import served_locations
from stacks.settings import parse
from stacks.stack import HybridStack
from tests.unit.infra import recording

pytestmark = pytest.mark.unit

TOKEN = "agent:acme:" + "0f" * 12
LOGIN = "c2VjcmV0LWxvZ2lu"
OURS = "dagsterhybrid:index:"
BASE = {
    "organization": "acme",
    "agent": {"kind": "kubernetes"},
    "registry": {"address": "registry.acme.example/data"},
    "locations": ["hello"],
}
PLACE = {"context": "prod-cluster"}
NAMESPACE, ACCOUNT = "kubernetes:core/v1:Namespace", "kubernetes:core/v1:ServiceAccount"
SECRET, MAP = "kubernetes:core/v1:Secret", "kubernetes:core/v1:ConfigMap"
ROLE, BINDING = "kubernetes:rbac.authorization.k8s.io/v1:Role", "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
DEPLOYMENT, BUDGET = "kubernetes:apps/v1:Deployment", "kubernetes:policy/v1:PodDisruptionBudget"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
ANSWERS = {
    f"{OURS}VirtualEnvironment": {"executable": "/x/bin/python"},
    f"{OURS}LocationImage": lambda inputs: {"reference": f"{inputs['repository']}@sha256:{'a' * 64}"},
    f"{OURS}PublishedImage": lambda inputs: {"reference": inputs["image"]},
    f"{OURS}CodeLocation": {"revision": "1"},
    f"{OURS}AgentToken": {"token": TOKEN, "tokenId": "7"},
    f"{OURS}KubernetesAgentState": {"instance": "i", "startedAt": "2026-01-01T00:00:00+00:00"},
}


@cache
def _hello() -> CodeLocationFolder:
    workspace = Workspace.of_this_checkout()
    who = StackIdentity.of("prod", parse({**BASE, "kubernetes": PLACE}, stack="prod", source="x"), workspace)
    (folder,) = served_locations(workspace, who)
    return folder


def record(
    place: Mapping[str, Any] | None = None,
    *,
    context: Mapping[str, Any] | None = None,
    answers: Mapping[str, Any] | None = None,
    preview: bool = False,
    **settings: Any,
) -> recording.Record:
    workspace = Workspace.of_this_checkout()
    said = {**BASE, **settings, "kubernetes": {**PLACE, **(place or {})}}
    said["agent"] = {"kind": "kubernetes", **settings.get("agent", {})}
    who = StackIdentity.of("prod", parse(said, stack="prod", source="x"), workspace)
    folder = replace(_hello(), container_context={"k8s": context} if context else {})

    def build() -> None:
        platform = KubernetesPlatform.of(who, workspace, (folder,))
        HybridStack(who, workspace, (folder,), platform).build()

    return recording.run(build, answers={**ANSWERS, **(answers or {})}, preview=preview)


def pod(made: recording.Record) -> dict[str, Any]:
    return made.only(DEPLOYMENT).inputs["spec"]["template"]


def container(made: recording.Record) -> dict[str, Any]:
    (only,) = pod(made)["spec"]["containers"]
    return only


def instance(made: recording.Record) -> dict[str, Any]:
    return yaml.safe_load(made.only(MAP).inputs["data"]["dagster.yaml"])


def launcher(made: recording.Record) -> dict[str, Any]:
    return instance(made)["user_code_launcher"]["config"]


@pytest.fixture(scope="module")
def default() -> recording.Record:
    return record()


def test_the_usual_stack_is_a_namespace_with_two_accounts_one_role_one_secret_and_the_agent(default) -> None:
    counts = {token: count for token, count in default.counts().items() if token.startswith("kubernetes:")}
    assert counts == {
        NAMESPACE: 1,
        ACCOUNT: 2,
        ROLE: 1,
        BINDING: 1,
        SECRET: 1,
        POLICY: 1,
        MAP: 1,
        DEPLOYMENT: 1,
        BUDGET: 1,
    }
    for made in default.resources:
        if made.token.startswith("kubernetes:"):
            assert made.options.provider == "kubernetes", f"{made.name} would go to whatever cluster is current"
            assert made.inputs["metadata"]["labels"][STACK_LABEL] == "hybrid-prod", "by it everything is found again"
            assert made.inputs["metadata"]["name"].startswith("hybrid-prod"), "two stacks share a cluster"
    provider = default.only("pulumi:providers:kubernetes").inputs
    assert provider["context"] == "prod-cluster", "which context is current, any tool changes"
    assert "kubeconfig" not in provider, "another machine has it elsewhere"


def test_the_token_is_a_secret_everywhere_and_a_text_nowhere(default) -> None:
    for made in default.resources:
        shown = {name: value for name, value in made.inputs.items() if name not in made.secret}
        assert TOKEN not in json.dumps(shown, default=str), f"{made.name} has the agent's token in plain"
    assert "stringData" in default.only(SECRET).secret
    (token,) = [each for each in container(default)["env"] if each["name"] == "DAGSTER_CLOUD_AGENT_TOKEN"]
    assert token["valueFrom"]["secretKeyRef"]["name"] == "hybrid-prod-agent-token", "the agent has it from the Secret"
    assert launcher(default)["env_secrets"] == ["hybrid-prod-agent-token"], "and code servers and runs, too"


def test_the_agent_starts_when_its_rights_stand_and_goes_before_them(default) -> None:
    waits = default.only(DEPLOYMENT).options.depends_on
    for first in ("ground-agent-role", "ground-agent-role-binding", "ground-token", "ground-account-hybrid-prod-code"):
        assert first in waits, f"an agent that starts before {first} is refused what it asks first"
    assert "agent-settings" in waits, "and its pod does not start without its settings"


def test_the_role_is_the_rules_and_is_bound_to_the_agents_account_alone(default) -> None:
    assert default.only(ROLE).inputs["rules"] == [rule.document() for rule in AGENT_RULES]
    binding = default.only(BINDING).inputs
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "hybrid-prod-agent", "namespace": "hybrid-prod"}]
    assert binding["roleRef"]["name"] == "hybrid-prod-agent"
    for made in default.of(ACCOUNT):
        assert made.inputs["automountServiceAccountToken"] is False, "a token comes to who asks for it alone"
    assert pod(default)["spec"]["automountServiceAccountToken"] is True, "the agent speaks to the cluster"
    assert pod(default)["spec"]["serviceAccountName"] == "hybrid-prod-agent"
    assert launcher(default)["service_account_name"] == "hybrid-prod-code", "code never has the agent's account"


def test_the_agents_pod_has_no_rights_on_its_node(default) -> None:
    spec, made = pod(default)["spec"], container(default)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert made["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }, "the namespace's strictest standard takes it"
    written = {mount["mountPath"] for mount in made["volumeMounts"] if not mount.get("readOnly")}
    assert written == {"/tmp"}, "a read-only root needs a place to write"
    assert spec["nodeSelector"]["kubernetes.io/arch"] == "amd64", "Dagster's image has no other"
    assert spec["terminationGracePeriodSeconds"] == 120, "it removes its code servers first"


def test_the_probes_look_for_what_the_agent_writes(default) -> None:
    made = container(default)
    folder = {each["name"]: each.get("value") for each in made["env"]}["DAGSTER_CLOUD_AGENT_SENTINEL_DIR"]
    ready = made["readinessProbe"]["exec"]["command"]
    assert ready == ["test", "-f", f"{folder}/finished_initial_reconciliation_sentinel.txt"]
    assert f"{folder}/liveness_sentinel.txt" in made["livenessProbe"]["exec"]["command"][-1]
    assert f"rm -f {folder}/finished" in made["args"][0], "what a crashed container had finished counts no more"
    assert launcher(default)["requires_healthcheck"] is True, "else the first file is never written"


def test_a_new_agent_loads_everything_before_the_old_one_goes(default) -> None:
    spec = default.only(DEPLOYMENT).inputs["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": "100%", "maxUnavailable": 0}
    assert instance(default)["isolated_agents"] == {"enabled": True}, "two are up for a while"
    assert default.only(DEPLOYMENT).inputs["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"
    assert record(agent={"zeroDowntime": False}).only(DEPLOYMENT).inputs["spec"]["strategy"] == {"type": "Recreate"}


def test_other_settings_another_token_or_a_restart_start_the_agent_anew(default) -> None:
    before = pod(default)["metadata"]["annotations"]
    assert before["hybrid.dagster/generation"] == "token 7"
    others = [
        record(agent={"serverTtl": {"maxServers": 3}}),
        record(agent={"restarts": 1}),
        record(answers={f"{OURS}AgentToken": {"token": TOKEN, "tokenId": "8"}}),
    ]
    for other in others:
        assert pod(other)["metadata"]["annotations"] != before, "pods are started anew when their template changes"
    assert pod(record()) == pod(default), "and are left alone when nothing does"


def test_the_launcher_puts_the_stacks_label_on_all_it_makes() -> None:
    made = record({"labels": {"team": "data"}})
    assert launcher(made)["labels"] == {
        "team": "data",
        "app.kubernetes.io/managed-by": "hybrid",
        STACK_LABEL: "hybrid-prod",
    }, "by it `down` finds the Jobs, which bear no other label of the agent's"
    assert made.only(NAMESPACE).inputs["metadata"]["labels"]["team"] == "data"


def test_an_adopted_namespace_is_neither_made_nor_changed() -> None:
    made = record({"namespace": {"name": "data", "adopt": True}})
    assert NAMESPACE not in made.counts(), "it is somebody else's"
    assert {each.inputs["metadata"]["namespace"] for each in made.of(SECRET) + made.of(DEPLOYMENT)} == {"data"}
    assert launcher(made)["namespace"] == "data"


def test_code_servers_are_reached_by_the_stacks_own_pods_alone(default) -> None:
    spec = default.only(POLICY).inputs["spec"]
    ours = {"matchLabels": {"app.kubernetes.io/managed-by": "hybrid", STACK_LABEL: "hybrid-prod"}}
    assert spec == {"podSelector": ours, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": ours}]}]}
    assert POLICY not in record({"isolateCodeServers": False}).counts()


def test_a_further_namespace_gets_role_accounts_and_token_of_its_own() -> None:
    made = record({"locationNamespaces": ["finance"]}, context={"namespace": "finance"})
    for token, count in ((ROLE, 2), (BINDING, 2), (SECRET, 2), (POLICY, 2), (ACCOUNT, 3)):
        assert made.counts()[token] == count, f"{token} is needed where code runs"
    (there,) = [each for each in made.of(BINDING) if each.inputs["metadata"]["namespace"] == "finance"]
    (subject,) = there.inputs["subjects"]
    assert subject["namespace"] == "hybrid-prod", "it is the one agent that gets the right there"
    assert made.counts()[NAMESPACE] == 1, "which is not the stack's to make"


def test_a_location_in_a_namespace_without_rights_is_refused_before_anything_is_made() -> None:
    with pytest.raises(SettingsError, match="locationNamespaces"):
        record(context={"namespace": "finance"})


def test_code_for_another_processor_than_its_nodes_is_refused() -> None:
    with pytest.raises(SettingsError, match="linux/arm64"):
        record(agent={"codeArchitecture": "arm64"}, images={"platforms": ["linux/amd64"]})
    made = record(agent={"codeArchitecture": "arm64"}, images={"platforms": ["linux/amd64", "linux/arm64"]})
    for part in ("server_k8s_config", "run_k8s_config"):
        assert launcher(made)[part]["pod_spec_config"]["node_selector"] == {"kubernetes.io/arch": "arm64"}


def test_code_gets_a_token_of_the_cluster_only_where_it_starts_pods(default) -> None:
    for part in ("server_k8s_config", "run_k8s_config"):
        assert launcher(default)[part]["pod_spec_config"]["automount_service_account_token"] is False
    made = record(agent={"stepPods": True})
    (role,) = [each for each in made.of(ROLE) if each.inputs["metadata"]["name"] == "hybrid-prod-code"]
    assert "jobs" in {resource for rule in role.inputs["rules"] for resource in rule["resources"]}
    (binding,) = [each for each in made.of(BINDING) if each.inputs["metadata"]["name"] == "hybrid-prod-code"]
    assert {subject["name"] for subject in binding.inputs["subjects"]} == {"hybrid-prod-code"}, "not the agent's"
    assert launcher(made)["run_k8s_config"]["pod_spec_config"]["automount_service_account_token"] is True


def test_accounts_bear_the_annotations_by_which_a_cloud_knows_them() -> None:
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/hello"}
    made = record({"codeAccount": {"annotations": role}, "locationAccounts": {"hello": {"annotations": role}}})
    annotated = {
        each.inputs["metadata"]["name"]: each.inputs["metadata"].get("annotations") for each in made.of(ACCOUNT)
    }
    assert annotated == {
        "hybrid-prod-agent": None,
        "hybrid-prod-code": role,
        "hybrid-prod-location-hello": role,
    }
    document = made.named("hello-location").inputs["document"]
    assert document["container_context"]["k8s"]["service_account_name"] == "hybrid-prod-location-hello"


def test_an_account_that_is_there_is_used_and_not_made() -> None:
    made = record({"codeAccount": {"name": "analytics"}})
    assert [each.inputs["metadata"]["name"] for each in made.of(ACCOUNT)] == ["hybrid-prod-agent"]
    assert launcher(made)["service_account_name"] == "analytics"


def test_the_login_of_the_registry_becomes_a_secret_by_which_nodes_pull(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def login(registry: str) -> str:
        asked.append(registry)
        return json.dumps({"auths": {registry: {"auth": LOGIN}}})

    monkeypatch.setattr(platform_module, "docker_config", login)
    made = record({"registryLogin": True}, agent={"imagePullSecrets": ["mirror"]})
    assert asked == ["registry.acme.example"]
    (secret,) = [each for each in made.of(SECRET) if each.inputs.get("type") == "kubernetes.io/dockerconfigjson"]
    assert "stringData" in secret.secret, "it is a password"
    for each in made.resources:
        shown = {name: value for name, value in each.inputs.items() if name not in each.secret}
        assert LOGIN not in json.dumps(shown, default=str), f"{each.name} has the login in plain"
    named = [{"name": "hybrid-prod-registry"}, {"name": "mirror"}]
    assert pod(made)["spec"]["imagePullSecrets"] == named
    assert launcher(made)["image_pull_secrets"] == named


def test_the_images_document_names_the_digest_and_the_bucket_of_values() -> None:
    made = record(assetValues={"ioManager": True, "bucket": "acme-values", "region": "eu-central-1"})
    document = made.named("hello-location").inputs["document"]
    assert document["image"].endswith("@sha256:" + "a" * 64), "a node takes what was pushed, whatever the tag is now"
    assert "ASSET_VALUES_BUCKET=acme-values" in document["container_context"]["k8s"]["env_vars"]


def test_several_agents_are_kept_apart_and_leave_one_at_a_time() -> None:
    made = record(agent={"replicas": 3})
    keys = [each["topologyKey"] for each in pod(made)["spec"]["topologySpreadConstraints"]]
    assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert pod(made) == pod(record()), "more of them do not start the first anew"
    assert made.only(BUDGET).inputs["spec"]["maxUnavailable"] == 1
    assert made.only(BUDGET).inputs["spec"]["selector"] == made.only(DEPLOYMENT).inputs["spec"]["selector"]


def test_a_preview_asks_for_the_same_without_knowing_the_token() -> None:
    made = record(preview=True)
    assert made.counts()[DEPLOYMENT] == 1, "nothing of a new stack is known yet"


def test_what_the_agent_leaves_is_removed_after_it_and_before_its_rights(default) -> None:
    assert "kubernetes-drain" in default.only(DEPLOYMENT).options.depends_on, "the agent goes first"
    drain = default.only(f"{OURS}KubernetesDrain")
    for last in ("ground-namespace", "ground-agent-role", "ground-token", "ground-account-hybrid-prod-code"):
        assert last in drain.options.depends_on, f"runs that end by themselves need {last}"
    assert drain.inputs["stack"] == "hybrid-prod", "the value of the label on all that its launcher made"
    assert drain.inputs["agent"] == default.only(DEPLOYMENT).inputs["metadata"]["name"]
    assert drain.inputs["ownsNamespace"] is True
    assert drain.inputs["cleanupSeconds"] > 120, "the agent has its grace period for its own clean-up"
    adopted = record({"namespace": {"adopt": True}, "locationNamespaces": ["finance"]}).only(f"{OURS}KubernetesDrain")
    assert adopted.inputs["ownsNamespace"] is False, "others have pods there, too"
    assert adopted.inputs["namespaces"] == ["hybrid-prod", "finance"]


def test_a_location_is_told_of_only_when_the_cluster_can_launch_it() -> None:
    context = {
        "env_secrets": ["orders"],
        "server_k8s_config": {"pod_spec_config": {"nodeSelector": {"disk": "ssd"}}},
    }
    made = record(agent={"codePlace": {"nodeSelector": {"pool": "code"}}, "envSecrets": ["common"]}, context=context)
    assert "hello-launch" in made.named("hello-location").options.depends_on, "an update that fails ends the old one"
    launch = made.named("hello-launch")
    assert {"hello-image", "ground-token"} <= launch.options.depends_on
    assert launch.inputs["secrets"] == ["hybrid-prod-agent-token", "common", "orders"]
    assert launch.inputs["serviceAccounts"] == ["hybrid-prod-code"]
    assert launch.inputs["nodeSelectors"] == [{"pool": "code", "disk": "ssd"}, {"pool": "code"}]


def test_every_look_at_the_cluster_goes_by_the_same_way() -> None:
    way = {"context": "prod-cluster", "kubeconfig": "/etc/kube.yaml", "server": "https://k8s.acme.example:6443"}
    made = record(way)
    for name in ("kubernetes-drain", "agent-state", "hello-launch"):
        assert way.items() <= made.named(name).inputs.items(), f"{name} would look at another cluster"
    ready = made.named("ready").inputs
    place = {**way, "platform": "kubernetes", "namespaces": ["hybrid-prod"], "deployment": "hybrid-prod-agent"}
    assert ready["place"] == {**place, "stack": "hybrid-prod"}
    assert ready["heartbeatAfter"] == "2026-01-01T00:00:00+00:00", "a predecessor's heartbeats do not count"
    state = made.named("agent-state")
    assert "agent-deployment" in state.options.depends_on
    other = record(way, agent={"restarts": 1}).named("agent-state")
    assert state.inputs["triggers"] != other.inputs["triggers"], "a new agent is waited for again"
