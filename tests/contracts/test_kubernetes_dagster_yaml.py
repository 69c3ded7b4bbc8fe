"""Every ``dagster.yaml`` of an agent on Kubernetes is loaded by Dagster's own instance code and its stock launcher, and
what that launcher would make of it in a cluster is what the settings say.

It proves that keys and types are the agent's, that each key of the launcher is reached by a setting, and what the
objects of code servers and runs look like. Nothing is asked of a cluster: that it takes them is for tests/kubernetes.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.errors import DagsterInvalidConfigError
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.storage.dagster_run import DagsterRun
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster_cloud.instance import DagsterCloudAgentInstance
from dagster_cloud.storage.compute_logs import CloudComputeLogManager
from dagster_cloud.workspace.kubernetes import K8sUserCodeLauncher
from dagster_cloud.workspace.kubernetes.utils import (
    construct_code_location_deployment,
    construct_code_location_service,
)
from dagster_cloud_cli.core.workspace import CodeLocationDeployData
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import construct_dagster_k8s_job
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from kubernetes.client import ApiClient

from agent.dagster_yaml import AGENT_TOKEN_VARIABLE
from agent.kubernetes_launcher import NOT_SAID, CodePlace, kubernetes_launcher
from agent.kubernetes_names import STACK_LABEL, KubernetesNames
from agent.kubernetes_pod import HOME, AgentText, dagster_yaml
from agent.kubernetes_spec import KubernetesAgentSpec
from tests.contracts.agent_instance import loaded

pytestmark = pytest.mark.contracts

TOKEN = "agent:acme:" + "5" * 32
NAMES = KubernetesNames.of("prod")
PLACE = CodePlace(
    names=NAMES, home=HOME, code_account=NAMES.code, pull_secrets=("hybrid-prod-registry",), labels={"team": "data"}
)
SAID = AgentText(label="hybrid-prod", deployment="prod", url="https://acme.agent.dagster.cloud")
SIZE = {"requests": {"cpu": "250m"}, "limits": {"memory": "1Gi"}}

CHOICES: dict[str, some.SearchStrategy[Any]] = {
    "branchDeployments": some.booleans(),
    "replicas": some.integers(1, 5),
    "zeroDowntime": some.booleans(),
    "allowedLocations": some.just(["orders"]),
    "queues": some.just({"additional": ["gpu"]}),
    "serverTtl": some.just({"fullDeployments": {"enabled": True, "ttlSeconds": 600}}),
    "startupTimeoutSeconds": some.integers(60, 600),
    "podStartupTimeoutSeconds": some.integers(60, 900),
    "imagePullGraceSeconds": some.integers(0, 300),
    "pullPolicy": some.sampled_from(["Always", "IfNotPresent", "Never"]),
    "serverResources": some.just(SIZE),
    "runResources": some.just(SIZE),
    "codeArchitecture": some.sampled_from([None, "amd64", "arm64"]),
    "codePlace": some.just(
        {
            "nodeSelector": {"pool": "code"},
            "tolerations": [{"key": "code", "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
            "priorityClassName": "low",
            "schedulerName": "volcano",
        }
    ),
    "serverConfig": some.just(
        {
            "containerConfig": {"env": [{"name": "DAGSTER_GRPC_MAX_WORKERS", "value": "20"}]},
            "podSpecConfig": {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "beside", "image": "x"}]},
            "podTemplateSpecMetadata": {"annotations": {"a": "b"}},
            "deploymentMetadata": {"annotations": {"a": "b"}},
            "serviceMetadata": {"annotations": {"a": "b"}},
            "serviceSpecConfig": {"sessionAffinity": "None"},
        }
    ),
    "runConfig": some.just(
        {
            "jobSpecConfig": {"ttlSecondsAfterFinished": 600},
            "jobMetadata": {"annotations": {"a": "b"}},
            "jobConfig": {"apiVersion": "batch/v1"},
        }
    ),
    "onlyAllow": some.just({"containerConfig": {"resources": True}, "jobSpecConfig": {"backoffLimit": True}}),
    "onlyAllowVariables": some.just(["STAGE"]),
    "securityContext": some.just({}) | some.just({"runAsNonRoot": True}),
    "envSecrets": some.just(["warehouse"]),
    "envConfigMaps": some.just(["common"]),
    "volumes": some.just([{"name": "cache", "emptyDir": {}}]),
    "podAnnotations": some.just({"a": "b"}),
    "podLabels": some.just({"azure.workload.identity/use": "true"}),
    "failPodOnRunFailure": some.booleans(),
    "stepPods": some.booleans(),
    "caCertificateFile": some.just("/etc/ssl/cluster.pem"),
    "environment": some.just({"STAGE": "prod"}),
    "proxy": some.just({"url": "http://proxy.internal:3128", "exceptFor": ["amazonaws.com"]}),
    "computeLogs": some.sampled_from(["dagster-plus", "off"]),
    "logUploadIntervalSeconds": some.none() | some.integers(5, 600),
    "agentMetrics": some.booleans(),
    "codeServerMetrics": some.booleans(),
}


def specs() -> some.SearchStrategy[KubernetesAgentSpec]:
    return some.fixed_dictionaries({}, optional=CHOICES).map(KubernetesAgentSpec.model_validate)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def called(*_: object, **__: object) -> None:
        raise AssertionError("the launcher asked the cluster")

    monkeypatch.setattr(ApiClient, "call_api", called)
    # outside of a pod there is no service account to read
    for module in ("dagster_cloud.workspace.kubernetes.launcher", "dagster_k8s.launcher"):
        monkeypatch.setattr(f"{module}.load_kubernetes_config", lambda **_: None)
    monkeypatch.setenv(AGENT_TOKEN_VARIABLE, TOKEN)
    for name in ("STAGE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.setenv(name, "x")
    return tmp_path


def launcher_of(instance: DagsterCloudAgentInstance) -> Any:
    launcher = instance.user_code_launcher
    assert type(launcher) is K8sUserCodeLauncher, "Dagster+ knows agents by the stock launcher's name"
    return launcher


def plain(model: Any) -> dict[str, Any]:
    """An object as the API gets it."""
    return ApiClient().sanitize_for_serialization(model)


def made_by(launcher: Any, instance: DagsterCloudAgentInstance, context: dict[str, Any] | None = None) -> Any:
    """The Deployment of a code server, its Service, and the Job of a run, as the launcher would create them."""
    metadata = CodeLocationDeployData(
        image="r/orders@sha256:" + "a" * 64, module_name="orders", container_context={"k8s": context or {}}
    )
    resolved = launcher._resolve_container_context(metadata)
    named = {"deployment_name": "prod", "location_name": "orders", "server_timestamp": 1.0}
    deployment = construct_code_location_deployment(
        instance,
        k8s_deployment_name="orders-prod-abcdef",
        metadata=metadata,
        container_context=resolved,
        args=metadata.get_grpc_server_command(metrics_enabled=False),
        mount_defs_state_config_map=True,
        **named,
    )
    service = construct_code_location_service("prod", "orders", "orders-prod-abcdef", resolved, instance, 1.0)
    job = construct_dagster_k8s_job(
        job_config=resolved.get_k8s_job_config("r/orders", launcher.run_launcher()),
        args=["dagster"],
        job_name="dagster-run-1",
        component="run_worker",
        user_defined_k8s_config=of_run(launcher, context).run_k8s_config,
    )
    return plain(deployment), plain(service), plain(job)


def of_run(launcher: Any, context: dict[str, Any] | None) -> K8sContainerContext:
    """What the launcher of runs makes of its own settings and of what the location says."""
    repository = RepositoryPythonOrigin(
        executable_path="python",
        code_pointer=ModuleCodePointer("orders", "defs", "/opt"),
        container_image="r/orders",
        entry_point=["dagster"],
        container_context={"k8s": context or {}},
    )
    run = DagsterRun(job_name="load", job_code_origin=JobPythonOrigin("load", repository))
    return launcher.run_launcher().get_container_context_for_run(run)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],
)
@given(spec=specs())
def test_dagster_loads_every_rendering_and_reads_what_was_meant(home: Path, spec: KubernetesAgentSpec) -> None:
    with loaded(home, dagster_yaml(spec, PLACE, SAID)) as instance:
        assert instance.deployment_names == ["prod"]
        assert instance.dagster_cloud_agent_token == TOKEN
        assert instance.includes_branch_deployments is spec.branch_deployments
        proxies = {"http": spec.proxy.url, "https": spec.proxy.url} if spec.proxy else {}
        assert instance.dagster_cloud_api_proxies == proxies
        assert_launcher(launcher_of(instance), spec)
        assert_objects(spec, *made_by(launcher_of(instance), instance))
        manager = instance.compute_log_manager
        assert type(manager) is (NoOpComputeLogManager if spec.compute_logs == "off" else CloudComputeLogManager)


def assert_launcher(launcher: Any, spec: KubernetesAgentSpec) -> None:
    assert launcher._requires_healthcheck is True, "without it the agent never says that it has loaded"
    assert launcher._server_process_startup_timeout == spec.startup_timeout_seconds
    assert launcher._deployment_startup_timeout == spec.pod_startup_timeout_seconds
    assert launcher._image_pull_grace_period == spec.image_pull_grace_seconds
    assert launcher._namespace == "hybrid-prod"
    assert launcher.agent_metrics_enabled is spec.agent_metrics
    assert launcher.code_server_metrics_enabled is spec.code_server_metrics
    assert launcher.run_launcher()._fail_pod_on_run_failure is spec.fail_pod_on_run_failure
    allowed = launcher._only_allow_user_defined_k8s_config_fields
    assert (allowed is None) is (spec.only_allow is None)
    variables = launcher._only_allow_user_defined_env_vars
    if spec.only_allow_variables is not None:
        assert set(spec.only_allow_variables) <= set(variables)


def assert_objects(
    spec: KubernetesAgentSpec, deployment: dict[str, Any], service: dict[str, Any], job: dict[str, Any]
) -> None:
    for made in (deployment, service, job):
        labels = made["metadata"]["labels"]
        assert labels[STACK_LABEL] == "hybrid-prod", f"`down` finds the {made.get('kind', 'Deployment')} by it"
        assert labels["team"] == "data"
    sizes = (spec.server_resources.document(), spec.run_resources.document())
    for made, size in zip((deployment, job), sizes, strict=True):
        template = made["spec"]["template"]
        assert template["metadata"]["labels"][STACK_LABEL] == "hybrid-prod"
        assert_pod(spec, template["spec"])
        (container, *_) = template["spec"]["containers"]
        assert container.get("resources", {}) == size
        assert spec.pod_labels.items() <= template["metadata"]["labels"].items()
        assert spec.pod_annotations.items() <= template["metadata"].get("annotations", {}).items()


def assert_pod(spec: KubernetesAgentSpec, pod: dict[str, Any]) -> None:
    (container, *_) = pod["containers"]
    assert pod["serviceAccountName"] == "hybrid-prod-code", "code never has the agent's account"
    assert pod["automountServiceAccountToken"] is spec.step_pods, "nor a token of the cluster without need"
    assert {"name": "hybrid-prod-registry"} in pod["imagePullSecrets"]
    named = {each["secretRef"]["name"] for each in container["envFrom"] if "secretRef" in each}
    assert named == {"hybrid-prod-agent-token", *spec.env_secrets}, "code has no other way to the agent's token"
    assert TOKEN not in str(pod), "and it is in no manifest"
    assert container["imagePullPolicy"] == spec.pull_policy
    security = container.get("securityContext", {})
    if "securityContext" not in spec.model_dump(by_alias=True, exclude_unset=True):
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
    selector = pod.get("nodeSelector", {})
    assert selector.get("kubernetes.io/arch") == spec.code_architecture
    assert spec.code_place.node_selector.items() <= selector.items(), "raw configuration is put upon it"
    assert pod.get("priorityClassName") == spec.code_place.priority_class_name
    assert pod.get("schedulerName") == spec.code_place.scheduler_name
    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert set(spec.environment) <= set(variables), "variables of the agent reach code by name"
    assert ("HTTPS_PROXY" in variables) is (spec.proxy is not None)


def test_raw_configuration_goes_to_code_servers_and_to_runs_apart(home: Path) -> None:
    said = {
        "codePlace": {"nodeSelector": {"pool": "code"}},
        "serverConfig": {
            "podSpecConfig": {"nodeSelector": {"disk": "ssd"}},
            "serviceMetadata": {"annotations": {"of": "service"}},
            "deploymentMetadata": {"annotations": {"of": "deployment"}},
        },
        "runConfig": {"jobSpecConfig": {"ttlSecondsAfterFinished": 600}, "jobMetadata": {"annotations": {"of": "job"}}},
    }
    spec = KubernetesAgentSpec.model_validate(said)
    with loaded(home, dagster_yaml(spec, PLACE, SAID)) as instance:
        deployment, service, job = made_by(launcher_of(instance), instance)
    assert deployment["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "code", "disk": "ssd"}
    assert job["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "code"}
    assert job["spec"]["ttlSecondsAfterFinished"] == 600
    annotated = [made["metadata"]["annotations"]["of"] for made in (deployment, service, job)]
    assert annotated == ["deployment", "service", "job"]


def test_a_location_says_its_own_upon_the_stacks_settings(home: Path) -> None:
    spec = KubernetesAgentSpec.model_validate({"serverResources": SIZE})
    own = {
        "service_account_name": "hybrid-prod-location-orders",
        "env_secrets": ["orders"],
        "server_k8s_config": {"container_config": {"resources": {"limits": {"memory": "4Gi"}}}},
    }
    with loaded(home, dagster_yaml(spec, PLACE, SAID)) as instance:
        deployment, _, job = made_by(launcher_of(instance), instance, own)
    for made in (deployment, job):
        pod = made["spec"]["template"]["spec"]
        assert pod["serviceAccountName"] == "hybrid-prod-location-orders"
        assert {"secretRef": {"name": "orders"}} in pod["containers"][0]["envFrom"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"memory": "4Gi"}


def test_what_is_not_allowed_is_refused_when_a_location_brings_it(home: Path) -> None:
    spec = KubernetesAgentSpec.model_validate({"onlyAllow": {"containerConfig": {"resources": True}}})
    privileged = {"server_k8s_config": {"container_config": {"security_context": {"privileged": True}}}}
    with loaded(home, dagster_yaml(spec, PLACE, SAID)) as instance:
        made_by(launcher_of(instance), instance, {"resources": {"limits": {"memory": "4Gi"}}})
        with pytest.raises(Exception, match="security_context"):
            made_by(launcher_of(instance), instance, privileged)


def test_every_key_of_the_launcher_is_reached_by_a_setting_or_is_left_out_for_a_reason() -> None:
    schema = K8sUserCodeLauncher.config_type()
    known = set(schema if isinstance(schema, dict) else schema.fields)
    said = {
        "serverTtl": {},
        "volumes": [{"name": "cache", "emptyDir": {}}],
        "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
        "codePlace": {"schedulerName": "volcano"},
        "envConfigMaps": ["common"],
        "environment": {"STAGE": "prod"},
        "caCertificateFile": "/etc/ssl/cluster.pem",
        "onlyAllow": {"namespace": True},
        "onlyAllowVariables": ["STAGE"],
        "serverResources": SIZE,
        "runResources": SIZE,
    }
    reached = set(kubernetes_launcher(KubernetesAgentSpec.model_validate(said), PLACE).config)
    apart = {"resources"}  # one size for both; here each has its own
    assert known - reached - apart == set(NOT_SAID), "a new release of the launcher knows another key"
    assert reached <= known


def test_the_launcher_still_does_not_start_with_a_count_of_replicas(home: Path) -> None:
    document = yaml.safe_load(dagster_yaml(KubernetesAgentSpec(), PLACE, SAID))
    document["user_code_launcher"]["config"]["server_replica_count"] = 2
    with loaded(home, yaml.safe_dump(document)) as instance, pytest.raises(TypeError, match="server_replica_count"):
        _ = instance.user_code_launcher
    assert "server_replica_count" not in inspect.signature(K8sUserCodeLauncher.__init__).parameters


@pytest.mark.parametrize(
    "key",
    [
        "dagster_home",
        "instance_config_map",
        "namespace",
        "service_account_name",
        "env_secrets",
        "labels",
        "security_context",
        "run_k8s_config",
        "requires_healthcheck",
    ],
)
def test_the_judge_refuses_a_misspelt_key_of_the_launcher(home: Path, key: str) -> None:
    document = yaml.safe_load(dagster_yaml(KubernetesAgentSpec(), PLACE, SAID))
    config = document["user_code_launcher"]["config"]
    config[f"{key}x"] = config.pop(key)
    with pytest.raises(DagsterInvalidConfigError), loaded(home, yaml.safe_dump(document)) as instance:
        _ = instance.user_code_launcher


def test_a_class_of_a_teams_own_keeps_the_output_of_steps(home: Path) -> None:
    custom = {"module": "dagster._core.storage.local_compute_log_manager", "class": "LocalComputeLogManager"}
    spec = KubernetesAgentSpec.model_validate({"computeLogs": {**custom, "config": {"base_dir": str(home)}}})
    with loaded(home, dagster_yaml(spec, PLACE, SAID)) as instance:
        assert type(instance.compute_log_manager).__name__ == "LocalComputeLogManager"


def test_the_same_settings_give_the_same_bytes() -> None:
    texts = {dagster_yaml(KubernetesAgentSpec(), PLACE, SAID) for _ in range(2)}
    assert len(texts) == 1, "a rendering that changes by itself would restart the agent at every update"
    assert TOKEN not in texts.pop()
