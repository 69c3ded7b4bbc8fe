"""What is looked at before a launch, and what this identity may do."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid.kubernetes import kinds, launching, rights
from hybrid.kubernetes.needs import Needs, needs_of
from tests.unit.kubernetes.fake_cluster import NAMESPACE

pytestmark = pytest.mark.unit

CONTEXT = {
    "namespace": "team-b",
    "service_account_name": "loader",
    "env_secrets": ["db", "db"],
    "env_config_maps": ["settings"],
    "image_pull_secrets": [{"name": "pull"}],
    "volumes": [
        {"name": "a", "secret": {"secretName": "tls"}},
        {"name": "b", "config_map": {"name": "late", "optional": True}},
        {"name": "c", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "d", "projected": {"sources": [{"secret": {"name": "part"}}, {"configMap": {"name": "piece"}}]}},
        {"name": "e", "empty_dir": {}},
    ],
    "server_k8s_config": {
        "container_config": {
            "env": [
                {"name": "A", "value": "b"},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}},
                {"name": "C", "value_from": {"config_map_key_ref": {"name": "map", "key": "k"}}},
                {"name": "D", "value_from": {"secret_key_ref": {"name": "maybe", "key": "k", "optional": True}}},
            ],
            "env_from": [{"secret_ref": {"name": "all"}}],
        },
        "pod_spec_config": {"node_selector": {"disk": "ssd"}},
    },
    "run_k8s_config": {
        "pod_spec_config": {
            "serviceAccountName": "runner",
            "containers": [{"name": "proxy", "envFrom": [{"configMapRef": {"name": "proxy"}}]}],
            "initContainers": [{"name": "first", "env": [{"valueFrom": {"secretKeyRef": {"name": "first"}}}]}],
        }
    },
}


def test_each_name_that_a_context_refers_to_is_found_in_both_manners_of_writing():
    assert needs_of(CONTEXT) == Needs(
        namespace="team-b",
        accounts=("loader", "runner"),
        secrets=("db", "pull", "tls", "part", "all", "key", "first"),
        config_maps=("settings", "piece", "map", "proxy"),
        claims=("data",),
        node_selectors=({"disk": "ssd"}, {}),
    )


values = st.recursive(
    st.sampled_from([None, True, 0, 1.5, "", "name", "a/b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "secret", "volumes", "env", "optional"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(CONTEXT)), values))
def test_a_context_of_any_shape_has_needs(context):
    assert isinstance(needs_of(context), Needs)


def test_names_that_are_not_there_are_told_and_secrets_are_not_read(fake, cluster):
    fake.put("secrets", "db", data={"password": "aHVudGVyMg=="})
    assert launching.name_findings(cluster, NAMESPACE, kinds.SECRET, ["db"]) == []
    (found,) = launching.name_findings(cluster, NAMESPACE, kinds.SECRET, ["gone", "gone", "db"])
    assert found.is_wrong
    assert found.what == f"The secret gone does not exist in the namespace {NAMESPACE}."


def test_without_the_right_to_look_nothing_is_called_wrong(fake, cluster):
    fake.refuse("get secrets", times=2)
    (found,) = launching.name_findings(cluster, NAMESPACE, kinds.SECRET, ["a", "b"])
    assert not found.is_wrong
    assert found.what == "Secrets were not looked at: this identity may not get them."
    fake.refuse("get namespaces")
    assert not launching.namespace_findings(cluster, NAMESPACE)[0].is_wrong


def test_a_namespace_that_is_not_there_or_goes_is_told(fake, cluster):
    (gone,) = launching.namespace_findings(cluster, "team-z")
    assert "does not exist" in gone.what
    fake.put("namespaces", "team-z", namespace="", metadata={"deletionTimestamp": "2026-11-21T12:00:00Z"})
    (going,) = launching.namespace_findings(cluster, "team-z")
    assert "is being deleted" in going.what
    fake.put("namespaces", "team-y", namespace="")
    assert launching.namespace_findings(cluster, "team-y") == []


def test_architectures_are_those_of_the_nodes_that_a_selector_takes(fake, cluster):
    for name, labels in {
        "a": {"kubernetes.io/arch": "amd64", "disk": "ssd"},
        "b": {"kubernetes.io/arch": "arm64", "disk": "hdd"},
        "w": {"kubernetes.io/arch": "amd64", "kubernetes.io/os": "windows", "disk": "tape"},
    }.items():
        fake.put("nodes", name, namespace="", labels=labels)
    assert launching.architectures_of(cluster, {}) == {"amd64", "arm64"}
    assert launching.architectures_of(cluster, {"disk": "hdd"}) == {"arm64"}
    assert launching.architectures_of(cluster, {"disk": "tape"}) is None, "code does not run on Windows"
    assert launching.architectures_of(cluster, {"disk": "none"}) is None, "an autoscaler may make them"
    fake.calls.clear()
    assert launching.architectures_of(cluster, {"kubernetes.io/arch": "s390x"}) == {"s390x"}
    assert fake.calls == []
    fake.refuse("list nodes")
    assert launching.architectures_of(cluster, {}) is None


def test_rights_that_are_missing_are_told_all_at_once_and_before_anything_is_made(fake, cluster):
    fake.denied |= {("create", "roles"), ("get", "pods/log"), ("create", "namespaces"), ("patch", "namespaces")}
    wanted = rights.rights_of_stack([NAMESPACE, "team-b"], makes_namespace=True)
    missing = rights.missing_rights(cluster, wanted)
    error = rights.refused_by(missing, cluster.server)
    assert "escalate" not in error.why, "nothing was to be given"
    assert "create, patch namespaces of the cluster: to make its namespace" in error.why
    assert f"create roles in {NAMESPACE}: to give the agent its rights" in error.why
    assert "create roles in team-b" in error.why
    assert "get pods/log in team-b: to say why something does not run" in error.why
    assert "Nothing was made." in error.why
    assert all(call.startswith(("review ", "rules ")) for call in fake.calls), "only questions are asked"


@pytest.mark.parametrize(
    ("denied", "refused"),
    [
        (set(), []),
        ({("update", "configmaps")}, []),
        ({("update", "configmaps"), ("escalate", "roles")}, [NAMESPACE, "team-b"]),
        ({("update", "configmaps"), ("bind", "roles")}, [NAMESPACE, "team-b"]),
        ({("escalate", "roles"), ("bind", "roles")}, []),
    ],
    ids=["may all", "stands above", "may not make the role", "may not bind it", "has what it gives"],
)
def test_who_gives_rights_has_them_or_stands_above(fake, cluster, denied, refused):
    fake.denied |= denied
    given = [
        rights.Right(("list", "update"), "", "configmaps", namespace, "give it to the agent")
        for namespace in (NAMESPACE, "team-b")
    ]
    found = rights.ungivable_rights(cluster, given)
    assert [(one.namespace, one.verbs) for one in found] == [(namespace, ("update",)) for namespace in refused]
    if found:
        error = rights.refused_by([], cluster.server, found)
        assert f"update configmaps in {NAMESPACE}: to give it to the agent" in error.why
        assert "must have them, or may `escalate` and `bind` roles" in error.why


def test_what_pulumi_waits_for_by_a_watch_may_be_watched(fake, cluster):
    wanted = rights.rights_of_stack([NAMESPACE], makes_namespace=True)
    watched = {right.resource for right in wanted if {"list", "watch"} <= set(right.verbs)}
    assert watched == {"namespaces", "serviceaccounts", "roles", "rolebindings", "networkpolicies", "configmaps",
                       "poddisruptionbudgets", "secrets"}, "without it `down` waits for ever"  # fmt: skip


def test_what_the_list_of_rules_has_is_not_asked_once_more(fake, cluster):
    fake.rules = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    fake.denied = {("create", "roles")}
    assert rights.missing_rights(cluster, rights.rights_of_stack([NAMESPACE, "team-b"], makes_namespace=False)) == []
    assert sorted(fake.calls) == [f"rules {NAMESPACE}", "rules team-b"]


@pytest.mark.parametrize(
    ("rule", "covered"),
    [
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"]}, True),
        ({"verbs": ["get", "list"], "apiGroups": ["*"], "resources": ["*/log"]}, True),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}, False),
        ({"verbs": ["list"], "apiGroups": [""], "resources": ["pods/log"]}, False),
        ({"verbs": ["get"], "apiGroups": ["apps"], "resources": ["pods/log"]}, False),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"], "resourceNames": ["one"]}, False),
        ({}, False),
    ],
)
def test_a_rule_counts_only_for_what_it_says(fake, cluster, rule, covered):
    fake.rules = [rule]
    rights.missing_rights(cluster, [rights.Right(("get",), "", "pods/log", NAMESPACE, "look")])
    asked = [call for call in fake.calls if call.startswith("review ")]
    assert (asked == []) is covered, "what is not on the list is asked of the cluster itself"


def test_who_may_all_lacks_nothing(fake, cluster):
    wanted = rights.rights_of_stack([NAMESPACE], makes_namespace=False)
    assert rights.missing_rights(cluster, wanted) == []
