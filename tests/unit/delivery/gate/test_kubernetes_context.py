"""Rules about ``container_context.k8s`` that the agent's schema does not have."""

from __future__ import annotations

import pytest
from dagster_k8s.container_context import K8sContainerContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid.delivery.gate.context import context_findings
from hybrid.delivery.gate.places import Places
from hybrid.delivery.gate.schema import check_document

pytestmark = pytest.mark.unit

RIGHT = {
    "namespace": "team-b",
    "service_account_name": "loader",
    "env_secrets": ["db.login"],
    "env_config_maps": ["settings"],
    "env_vars": ["STAGE=prod"],
    "image_pull_secrets": [{"name": "pull"}],
    "labels": {"team": "data", "acme.io/cost-center": "12"},
    "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
    "server_replica_count": 2,
    "volumes": [{"name": "scratch", "emptyDir": {}}, {"name": "data", "persistent_volume_claim": {"claim_name": "d"}}],
    "volume_mounts": [{"name": "scratch", "mountPath": "/scratch"}],
    "server_k8s_config": {
        "container_config": {
            "env": [
                {"name": "MODE", "value": "server"},
                {"name": "K", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
            ],
            "resources": {"limits": {"cpu": 1, "memory": "512Mi"}},
        },
        "pod_spec_config": {"nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "gpu", "operator": "Exists"}]},
        "deployment_metadata": {"annotations": {"a": "b"}},
    },
    "run_k8s_config": {
        "pod_spec_config": {"init_containers": [{"name": "proxy", "image": "p:1", "restart_policy": "Always"}]},
        "job_spec_config": {"ttl_seconds_after_finished": 3600},
        "pod_template_spec_metadata": {"labels": {"kind": "run"}},
    },
}  # fmt: skip


def findings(platform="k8s", **k8s):
    return list(context_findings("orders", {"k8s": k8s}, platform, Places()))


def raw(part, key="run_k8s_config", **more):
    return {key: {**part, **more}}


def test_a_context_that_kubernetes_takes_is_right_and_the_launcher_takes_it_too():
    assert findings(**RIGHT) == []
    assert K8sContainerContext.create_from_config({"k8s": RIGHT}).namespace == "team-b"


def test_the_stacks_platform_is_known_by_its_key_in_a_context():
    document = {"location_name": "orders", "image": "a:1", "code_source": {"module_name": "orders"},
                "container_context": {"k8s": {"namespace": "TEAM", "labelz": {}}}}  # fmt: skip
    found = check_document(document, "kubernetes", Places())
    assert {finding.severity for finding in found} == {"error"}
    assert any("has no key `labelz`" in finding.what for finding in found)
    elsewhere = check_document(document, "ecs", Places())
    assert {finding.severity for finding in elsewhere} == {"warning"}, "a folder's files serve several stacks"


@pytest.mark.parametrize(
    ("k8s", "words"),
    [
        ({"namespace": "Team_B"}, "name that nothing in Kubernetes can have"),
        ({"namespace": "a" * 64}, "at most 63"),
        ({"service_account_name": "a b"}, "name that nothing"),
        ({"env_secrets": ["ok", "postgres://me:pw@host"]}, "names alone, no values"),
        ({"env_config_maps": ["-a"]}, "name that nothing"),
        ({"image_pull_secrets": [{"name": "UPPER"}]}, "name that nothing"),
        ({"labels": {"hybrid.dagster/stack": "other"}}, "know what is theirs"),
        ({"labels": {"managed_by": "me"}}, "know what is theirs"),
        ({"labels": {"version": 1}}, "put quotes around it"),
        ({"labels": {"team": "a b"}}, "label that Kubernetes does not take"),
        ({"server_replica_count": 0}, "never loads"),
        ({"env_vars": ["DAGSTER_CLOUD_AGENT_TOKEN"]}, "given to all code as a Secret"),
        ({"resources": {"limits": {"memory": "2 GB"}}}, "is no quantity"),
        ({"resources": {"limits": {"cpu": -1}}}, "is no quantity"),
        ({"resources": {"limits": {"memory": "1Gi"}, "requests": {"memory": "1500Mi"}}}, "requests more memory"),
        ({"volumes": [{"name": "a"}, {"name": "a"}]}, "two volumes are called"),
        ({"volumes": [{"name": "dagster-cloud-defs-state-override"}]}, "volume of the launcher's own"),
        ({"volumes": [{"name": "a", "emptyDirs": {}}]}, "has no key `emptyDirs`"),
        ({"volume_mounts": [{"name": "a", "path": "/x"}]}, "has no key `path`"),
        ({"security_context": {"runAsRoot": True}}, "has no key `runAsRoot`"),
        (raw({"container_config": {"imagePullPolcy": "x"}}), "has no key `imagePullPolcy`"),
        (raw({"pod_spec_config": {"nodeSelectors": {}, "x": 1}}), "has no key"),
        (raw({"container_config": {"image": "x:1"}}), "the image is the location's"),
        (raw({"container_config": {"args": ["x"]}}, "server_k8s_config"), "the agent decides what a container runs"),
        (raw({"pod_template_spec_metadata": {"labels": {"user-deployment": "x"}}}), "know what is theirs"),
        (raw({"job_metadata": {"labels": {"hybrid.dagster/stack": "x"}}}), "know what is theirs"),
        (raw({"container_config": {"env": [{"name": "N", "value": 1}]}}), "must be text"),
        (raw({"container_config": {"env": [{"name": "DAGSTER_CLOUD_AGENT_TOKEN", "value": "x"}]}}), "as a Secret"),
        (raw({"container_config": {"resources": {"requests": {"cpu": "lots"}}}}), "is no quantity"),
        (raw({"job_metadata": {"labels": {"a": "b"}}}, merge_behavior="SHALLOW"), "take the stack's labels away"),
        (raw({"container_config": {"envFrom": []}}, merge_behavior="SHALLOW"), "agent's token away from code"),
    ],
)  # fmt: skip
def test_what_the_cluster_or_the_launcher_would_refuse_is_an_error(k8s, words):
    found = findings(**k8s)
    assert any(words in f"{finding.what} {finding.next_step}" for finding in found), found
    assert {finding.severity for finding in found} == {"error"}


@pytest.mark.parametrize(
    ("k8s", "words"),
    [
        (raw({"job_spec_config": {"backoffLimit": 3}}), "starts a run's pod again"),
        (raw({"pod_spec_config": {"containers": [{"name": "proxy", "image": "p"}]}}), "a run's Job ends only when"),
        ({"volumes": [{"name": "a", "host_path": {"path": "/x"}}]}, "folder of the node"),
        (raw({"container_config": {"env": [{"name": "DB_PASSWORD", "value": "short"}]}}), "looks like a secret"),
    ],
)
def test_what_may_be_meant_is_a_warning(k8s, words):
    (found,) = findings(**k8s)
    assert found.severity == "warning"
    assert words in found.what


def test_a_secret_in_plain_text_is_an_error_that_does_not_show_it():
    entry = {"name": "URL", "value": "postgres://me:swordfish@host/db"}
    for k8s in ({"env_vars": ["URL=postgres://me:swordfish@host/db"]}, raw({"container_config": {"env": [entry]}})):
        (found,) = findings(**k8s)
        assert found.severity == "error"
        assert "swordfish" not in repr(found)


def test_without_shallow_labels_and_sources_of_variables_are_added():
    assert findings(**raw({"job_metadata": {"labels": {"a": "b"}}, "container_config": {"envFrom": []}})) == []


anything = st.recursive(
    st.sampled_from([None, True, 0, -1, 1.5, "", "name", "a/b", "512Mi"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["name", "env", "labels", "resources", "limits", "container_config", "volumes"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(RIGHT)), anything))
def test_a_context_of_any_shape_is_judged(context):
    for finding in findings(**context):
        assert finding.what
        assert finding.next_step
